# A Redmine in use, on top of setup.rb: what the catalog must not destroy, or must tell.
User.current = User.find(1)
project = Project.create!(name: 'In use', identifier: 'in-use')
other = Project.create!(name: 'Archived', identifier: 'archived', trackers: Tracker.where(name: %w[Bug Feature]))
other.update_columns(status: Project::STATUS_ARCHIVED)
project.trackers = Tracker.where(name: %w[Bug Support])
developer = User.new(firstname: 'A', lastname: 'B', mail: 'a@example.net', language: 'en')
developer.login = 'acting'
developer.password = developer.password_confirmation = 'acting-in-tests-1'
developer.save!
developer.update_columns(twofa_scheme: 'totp', twofa_required: false)
Member.create!(project: project, user: developer, roles: [Role.find_by!(name: 'Developer')])

field = ->(name) { CustomField.find_by!(name: name) }
small = field.call('Issue enumeration').enumerations.detect { |option| option.name == 'small' }
issue = Issue.new(project: project, tracker: Tracker.find_by!(name: 'Bug'), author: developer, subject: 'One',
                  status: IssueStatus.find_by!(name: 'New'), priority: IssuePriority.find_by!(name: 'Normal'),
                  due_date: '2030-01-01')
issue.custom_field_values = {
  field.call('Issue list').id.to_s => 'red', field.call('Issue list multiple').id.to_s => %w[red green],
  field.call('Issue enumeration').id.to_s => small.id.to_s, field.call('Issue string').id.to_s => 'said'
}
issue.save!
field.call('Config key').update!(visible: false, roles: [Role.find_by!(name: 'Reporter')])
design = TimeEntryActivity.find_by!(name: 'Design', project_id: nil)
TimeEntryActivity.create!(name: 'Design', parent: design, project: project, active: false)
# Twins, a rule about nothing, and a transition to itself.
pair = { tracker: Tracker.find_by!(name: 'Bug'), role: Role.find_by!(name: 'Manager') }
fresh, closed = %w[New Closed].map { |name| IssueStatus.find_by!(name: name) }
WorkflowTransition.create!(old_status: fresh, new_status: closed, **pair)
WorkflowTransition.create!(old_status: fresh, new_status: fresh, **pair)
WorkflowPermission.create!(old_status: fresh, field_name: '99999', rule: 'required', **pair)
WorkflowPermission.create!(old_status: fresh, field_name: field.call('Issue float').id.to_s, rule: 'required', **pair)
red = IssueQuery.new(name: 'Red ones', visibility: 2, user: User.current)
red.add_filter("cf_#{field.call('Issue list').id}", '=', ['red'])
red.save!
AuthSourceLdap.first.update!(account_password: 'of-the-database')
Setting.sys_api_key = 'key-of-the-database'
feature = Tracker.find_by!(name: 'Feature')
spare = Role.create!(name: 'Spare', permissions: [:add_issues])
manager = Role.find_by!(name: 'Manager')
manager.managed_roles = [spare]
manager.set_permission_trackers('edit_issues', [feature.id.to_s, pair[:tracker].id.to_s])
manager.save!
