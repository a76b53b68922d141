# What Redmine's API cannot create: the custom fields of this example. Run once inside Redmine by an administrator,
#   bin/rails runner -e production setup.rb
# or more than once: a field that exists is brought in line, nothing is made twice. Redmine 5.0, 6.0 and 6.1.

def field(type, name, format, *values, **attributes)
  field = type.find_or_initialize_by(name: name)
  field.attributes = { field_format: format, is_filter: true, **attributes }
  field.possible_values = values if format == 'list'
  field.save!
  values.each { |label| field.enumerations.find_or_create_by!(name: label) } if format == 'enumeration'
end

def issue_field(name, format, *values, trackers: Tracker.all.to_a, **attributes)
  field(IssueCustomField, name, format, *values, is_for_all: true, trackers: trackers, **attributes)
end

def project_field(name, format, *values, **attributes)
  field(ProjectCustomField, name, format, *values, **attributes)
end

def user_field(name, format, *values, **attributes)
  field(UserCustomField, name, format, *values, **attributes)
end

def version_field(name, format, *values, **attributes)
  field(VersionCustomField, name, format, *values, **attributes)
end

SEVERAL = { multiple: true }.freeze
BUG = [Tracker.find_by!(name: 'Bug')].freeze

issue_field 'Config key', 'string', searchable: true
issue_field 'Order number', 'string', regexp: '\ANL-\d{4}-\d{4}\z'
issue_field 'Steps to reproduce', 'text', trackers: BUG
issue_field 'Supplier page', 'link'
issue_field 'Pieces', 'int', min_length: 1, max_length: 6
issue_field 'Weight (kg)', 'float'
issue_field 'Promised on', 'date'
issue_field 'Customer affected', 'bool'
issue_field 'Sales channel', 'list', 'Online', 'Showroom', 'Trade fair', 'Dealer'
issue_field 'Rooms', 'list', 'Kitchen', 'Bedroom', 'Living room', "Children's room", 'Office', **SEVERAL
issue_field 'Timber', 'enumeration', 'Oak', 'Ash', 'Walnut', 'Birch ply'
issue_field 'Finishes', 'enumeration', 'Oil', 'Soap', 'Wax', 'Lacquer', **SEVERAL
issue_field 'Reviewer', 'user', user_role: [Role.find_by!(name: 'Manager').id.to_s]
issue_field 'Crew', 'user', **SEVERAL
issue_field 'Found in', 'version', trackers: BUG
issue_field 'Affected versions', 'version', trackers: BUG, **SEVERAL

project_field 'Cost centre', 'string'
project_field 'Mission', 'text'
project_field 'Handbook', 'link'
project_field 'Headcount', 'int'
project_field 'Budget (k€)', 'float'
project_field 'Running since', 'date'
project_field 'Billable', 'bool'
project_field 'Department', 'list', 'Management', 'Sales', 'Production'
project_field 'Sites', 'list', 'Lübeck', 'Malmö', 'Gdańsk', **SEVERAL
project_field 'Stage', 'enumeration', 'Idea', 'Pilot', 'Running', 'Winding down'
project_field 'Certificates', 'enumeration', 'FSC', 'PEFC', 'Blauer Engel', **SEVERAL
project_field 'Owner', 'user'
project_field 'Deputies', 'user', **SEVERAL
project_field 'Showcase release', 'version'
project_field 'Supported releases', 'version', **SEVERAL

user_field 'Staff number', 'string'
user_field 'Knows about', 'text'
user_field 'Portrait', 'link'
user_field 'Extension', 'int'
user_field 'Hours a week', 'float'
user_field 'Joined on', 'date'
user_field 'First aider', 'bool'
user_field 'Site', 'list', 'Lübeck', 'Malmö', 'Gdańsk'
user_field 'Languages', 'list', 'Deutsch', 'English', 'Français', 'Polski', 'Svenska', 'Türkçe', **SEVERAL
user_field 'Contract', 'enumeration', 'Permanent', 'Temporary', 'Apprentice'
user_field 'Machine licences', 'enumeration', 'Table saw', 'Spindle moulder', 'CNC router', 'Forklift', **SEVERAL

version_field 'Code name', 'string'
version_field 'Highlights', 'text'
version_field 'Announcement', 'link'
version_field 'New articles', 'int'
version_field 'Marketing budget (k€)', 'float'
version_field 'Feature freeze', 'date'
version_field 'In the catalogue', 'bool'
version_field 'Season', 'list', 'Spring', 'Autumn'
version_field 'Markets', 'list', 'DE', 'SE', 'PL', 'FR', **SEVERAL
version_field 'Risk', 'enumeration', 'Low', 'Medium', 'High'
version_field 'Themes', 'enumeration', 'Small flats', 'Outdoor', 'Repair', **SEVERAL
version_field 'Release manager', 'user'
version_field 'Signed off by', 'user', **SEVERAL
version_field 'Successor of', 'version'
version_field 'Includes', 'version', **SEVERAL
