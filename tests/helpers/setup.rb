# What the tests need and only an administrator can create: run once inside each test server, before its snapshot.
# Every kind of object gets one custom field per format that its Redmine knows for it, named after both:
# "Issue list", "Issue list multiple", "User enumeration", "Version date", "Project user", "Group string" …

KINDS = { 'Issue' => IssueCustomField, 'Project' => ProjectCustomField, 'User' => UserCustomField,
          'Group' => GroupCustomField, 'Version' => VersionCustomField, 'TimeEntry' => TimeEntryCustomField }

def create_field(type, name, format, **attributes)
  field = type.new(name: name, field_format: format, is_filter: Redmine::FieldFormat.find(format).is_filter_supported,
                   **attributes)
  field.possible_values = %w[red green blue] if format == 'list'
  if type == IssueCustomField
    field.is_for_all = true unless attributes.key?(:is_for_all)
    field.trackers = Tracker.all unless attributes.key?(:trackers)
  end
  field.save!
  %w[small medium large].each { |label| field.enumerations.create!(name: label) } if format == 'enumeration'
end

KINDS.each do |kind, type|
  Redmine::FieldFormat.as_select(kind).map(&:last).sort.each do |format|
    create_field(type, "#{kind} #{format}", format)
    create_field(type, "#{kind} #{format} multiple", format, multiple: true) if Redmine::FieldFormat.find(format).multiple_supported
  end
end

create_field(IssueCustomField, 'Config key', 'string')
create_field(IssueCustomField, 'Bugs only', 'string', trackers: [Tracker.find_by!(name: 'Bug')])
create_field(IssueCustomField, 'Some projects', 'string', is_for_all: false)

AuthSourceLdap.create!(name: 'Directory', host: 'ldap.example.net', port: 389, attr_login: 'uid')
