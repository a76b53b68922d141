# A world as the years leave it behind: what Redmine lets in through the browser, by mail, from older versions and from
# what users delete. Run in a server that `setup.rb` has prepared.

BROKEN = ENV['PORTABLE'].nil?
ODD = ['yes', 'no', '1e3', '~', 'null', '2026-01-02', '${HOME}', '$${x}', '#x', '- x', ': x', '!file x', '*a', '&a',
       '%x', '@x', '`x', '{a: b}', '[a]', "it's", '"quoted"', 'a / b \\ c', "\u{1f680} rocket", "\u05e9\u05dc\u05d5\u05dd",
       "bell\u0007", "\u202eevil", '0x1f', '012', '.5', '=', '<<', 'trailing: ', "zero\u200bwidth", "nbsp\u00a0",
       "\u2028line", "next\u0085line", "\ufeffbom", 'a #b', 'None', 'none', "e\u0301", '?', '|', '>', '...', '---']
TEXTS = ['', "\r\n", "a\r\nb\r\n", "a\rb", "tab\t\r\n", "  lead\r\n", "trail  \r\n  \r\n\r\n", "\r\n\r\nlate", "x\u0007y\r\nz",
         "--- \r\n# no\r\n...\r\n", "long " * 4000, "l\r\n" * 40, "\u{1f680}\r\n\u2028\u05e9", "\ufeffbom\r\nb" + "\r\nx" * 40,
         "a  \nb\n" + "line\n" * 40, "\u0085\r\nx", "tab\tin\r\n\ttext", "${HOME}\r\n$${x}\r\n"]

def user(login, **more)
  User.create!(firstname: login, lastname: 'Test', mail: "#{login}@example.net", **more) { |u| u.login = login }
end

def member(project, principal, *roles)
  found = Member.find_or_initialize_by(project_id: project.id, user_id: principal.id)
  found.role_ids |= Role.where(name: roles).ids
  found.save!
end

def file(container, name, content, **more)
  io = StringIO.new(content)
  Attachment.create!(container: container, file: io, filename: name, author: User.find_by!(login: 'admin'), **more)
end

def project(identifier, **more)
  Project.create!(name: identifier, identifier: identifier, **more) { |p| p.trackers = Tracker.all.to_a; p.issue_custom_fields = [] }
end

def issue(project, subject, **more)
  author = more.delete(:author) || User.find_by!(login: 'admin')
  found = Issue.new(project: project, subject: subject, tracker: more.delete(:tracker) || Tracker.first, author: author,
                    status: IssueStatus.first, priority: IssuePriority.default || IssuePriority.first, **more)
  found.save!(validate: false)
  found
end

def force(object, **columns)
  object.class.where(id: object.id).update_all(columns)
end

def field(type, name)
  type.find_by!(name: name)
end

def set(object, field, value)
  CustomValue.where(customized: object, custom_field: field).delete_all
  [*value].each { |v| CustomValue.new(customized: object, custom_field: field, value: v).save!(validate: false) }
end

admin = User.find_by!(login: 'admin')
User.current = admin
ActiveRecord::Base.record_timestamps = true
Setting.cross_project_issue_relations = '1'
Setting.cross_project_subtasks = 'system'
Setting.issue_group_assignment = '1'

# People -----------------------------------------------------------------------------------------------------------
amy = user('amy', firstname: 'Ämy "A"', lastname: "O'Brien \u{1f680}")
bob, cy, gone = user('bob'), user('no'), user('gone')
registered = user('reg', status: BROKEN ? User::STATUS_REGISTERED : User::STATUS_ACTIVE)
user('12', language: 'de')
user('Upper.Case')
if BROKEN
  user('odd').update_columns(login: 'odd login/1')
  user('nomail').tap { |u| u.email_addresses.delete_all }
  user('longname').update_columns(firstname: 'f' * 30, lastname: 'yes')
  user('noname').update_columns(firstname: '', lastname: '')
end
crew = Group.create!(lastname: "Crew / \"Q\" \u{1f680}")
crew.users << [amy, bob, registered]
if BROKEN
  Group.create!(lastname: 'amy')
end
Group.create!(lastname: 'yes')
Group.create!(lastname: ' blank').update_columns(lastname: ' blank ')
set(crew, field(GroupCustomField, 'Group string'), ' v ')
set(amy, field(UserCustomField, 'User text'), "a\r\nb")

# Projects ---------------------------------------------------------------------------------------------------------
ugly = project('ugly', description: "a\r\nb  \r\n", homepage: 'no')
ugly.update_columns(name: "  Ugly: #1 / \"x\" \u{1f680}")
ugly.enabled_module_names = %w[issue_tracking time_tracking news files wiki documents]
child = project('child', parent: ugly, inherit_members: true)
child.enabled_module_names = %w[issue_tracking wiki time_tracking]
shut = project('shut')
shut.enabled_module_names = %w[issue_tracking time_tracking news files wiki]
if BROKEN
  off = project('off')
  off.enabled_module_names = []
end
below = project('below', parent: shut)
if BROKEN
  arch = project('arch')
  arch_child = project('arch-child', parent: arch)
end
private_project = project('1-private', is_public: false)
private_project.enabled_module_names = %w[issue_tracking]
member(ugly, crew, 'Developer', 'Reporter')
member(ugly, amy, 'Manager')
member(ugly, cy, 'Developer')
member(ugly, gone, 'Developer')
member(ugly, GroupAnonymous.first, 'Reporter')
member(child, bob, 'Manager')
member(shut, crew, 'Manager')
member(shut, registered, 'Manager')
member(private_project, bob, 'Manager')

# Versions, categories ---------------------------------------------------------------------------------------------
Version.create!(project: ugly, name: '1.0', sharing: 'system')
[' 1.0', '1.0 ', '1.0/x', 'yes', '2026-01-02', "\u{1f680} \"v\"", 'v' * 60].each do |name|
  Version.new(project: ugly, name: 'x').tap { |v| v.name = name; v.save!(validate: false) }
end
Version.create!(project: child, name: '1.0', sharing: 'tree')
private_version = Version.create!(project: private_project, name: 'secret')
closed_version = Version.create!(project: ugly, name: 'closed one', sharing: 'hierarchy', due_date: '2026-01-02', description: ' x ')
locked_version = Version.create!(project: shut, name: 'locked one', sharing: 'system')
default_version = Version.create!(project: ugly, name: 'default')
ugly.update!(default_version: default_version, default_assigned_to: amy)
backend = IssueCategory.create!(project: ugly, name: "Back / \"end\"", assigned_to: cy)
IssueCategory.create!(project: ugly, name: 'no')
IssueCategory.create!(project: shut, name: 'Kept', assigned_to: crew)

# Issues -----------------------------------------------------------------------------------------------------------
plain = { description: 'same', start_date: '2026-01-02' }
3.times { issue(ugly, 'Twin', **plain) }
2.times { issue(ugly, 'Near', **plain) }.tap { issue(ugly, 'Near', **plain, description: 'other') }
issue(ugly, 'Twin', **plain, tracker: Tracker.last)
issue(ugly, 'twin')
ODD.each_with_index do |subject, i|
  next unless BROKEN || i < 3 || i % 3 == 0
  issue(ugly, subject, description: TEXTS[i % TEXTS.size], start_date: i.odd? ? nil : '2026-01-02')
end
issue(ugly, 'l' * 255)
issue(ugly, ' blank ')
issue(ugly, 'Hidden', is_private: true, assigned_to: crew, watcher_user_ids: [amy.id])
if BROKEN
  issue(ugly, 'By nobody', author: User.anonymous)
end
issue(ugly, 'Nobody does it', assigned_to: nil, category: backend, fixed_version: nil, start_date: nil)
issue(ugly, 'Half', done_ratio: 37, estimated_hours: 1.0 / 3)
if BROKEN
  force(issue(ugly, 'Backwards'), start_date: '2026-02-02', due_date: '2026-01-01')
end
issue(ugly, 'Closed with it', status: IssueStatus.find_by!(name: 'Closed'), fixed_version: closed_version)
if BROKEN
  issue(ugly, 'Open in it', fixed_version: closed_version)
end
issue(child, 'Shared', fixed_version: Version.find_by!(project: child, name: '1.0'))
issue(child, 'Shared above', fixed_version: Version.find_by!(project: ugly, name: '1.0'))
issue(child, 'Locked elsewhere', fixed_version: locked_version)
if BROKEN
  force(issue(ugly, 'Foreign version'), fixed_version_id: private_version.id)
  force(issue(ugly, 'Foreign category'), category_id: IssueCategory.find_by!(project: shut).id)
  force(issue(ugly, 'Assigned to the left'), assigned_to_id: user('left').id)
end
issue(ugly, 'Assigned to the locked', assigned_to: bob, watcher_user_ids: [bob.id])
Watcher.new(watchable: Issue.last, user: crew).save(validate: false)
if BROKEN
  parent = issue(ugly, 'Closed parent', status: IssueStatus.find_by!(name: 'Closed'))
  force(issue(ugly, 'Open child'), parent_id: parent.id, root_id: parent.id, lft: 2, rgt: 3)
  force(parent, rgt: 4)
end
tree = issue(ugly, 'Tree')
leaf = issue(child, 'Leaf elsewhere', parent_issue_id: tree.id, done_ratio: 50, start_date: '2026-01-05', due_date: '2026-01-09')
issue(ugly, 'Second leaf', parent_issue_id: tree.id, estimated_hours: 3, priority: IssuePriority.find_by!(name: 'High'))
closed_tree = issue(ugly, 'Done tree')
issue(ugly, 'Done leaf', parent_issue_id: closed_tree.id, status: IssueStatus.find_by!(name: 'Closed'))
force(closed_tree, status_id: IssueStatus.find_by!(name: 'Rejected').id)
IssueRelation.create!(issue_from: tree, issue_to: Issue.find_by!(subject: 'Shared'), relation_type: 'blocks')
IssueRelation.create!(issue_from: Issue.find_by!(subject: 'Half'), issue_to: leaf, relation_type: 'relates')
IssueRelation.create!(issue_from: Issue.find_by!(subject: 'yes'), issue_to: Issue.find_by!(subject: 'no'), relation_type: 'precedes', delay: -3)
IssueRelation.new(issue_from: Issue.find_by!(subject: 'yes'), issue_to: Issue.find_by!(subject: '1e3'), relation_type: 'duplicates').save!
if BROKEN
  issue(shut, 'Older', author: gone, status: IssueStatus.find_by!(name: 'Closed'))
end
old = issue(shut, 'Old', assigned_to: crew, category: IssueCategory.find_by!(project: shut), fixed_version: locked_version)
if BROKEN
  issue(arch, 'Buried')
end
issue(private_project, 'Secret', fixed_version: private_version, assigned_to: bob)
issue(private_project, 'By an outsider', author: amy).tap { |i| Journal.create!(journalized: i, user: amy, notes: 'n') } if BROKEN
if BROKEN
  issue(off, 'Out of reach')
end
noted = issue(ugly, 'Noted', author: BROKEN ? gone : admin)
["a note", "a note", "a\r\nb\r\n", ' blank ', "yes", "x" * 3000, "\u{1f680}\u0007"].each { |t| Journal.create!(journalized: noted, user: admin, notes: t) }
Journal.create!(journalized: noted, user: amy, notes: "by amy", private_notes: true)
Journal.create!(journalized: noted, user: bob, notes: "by bob")
if BROKEN
  Journal.create!(journalized: noted, user: admin, notes: 'none')
  Journal.create!(journalized: noted, user: User.anonymous, notes: "by nobody")
  Journal.create!(journalized: noted, user: gone, notes: "by the deleted")
  Journal.create!(journalized: noted, user: admin).tap { |j| j.details.create!(property: 'attr', prop_key: 'subject', old_value: 'a', value: 'b') }
  Journal.create!(journalized: noted, user: admin, notes: '   ').tap { |j| j.details.create!(property: 'attr', prop_key: 'status_id', old_value: '1', value: '2') }
end

# Custom fields ----------------------------------------------------------------------------------------------------
if BROKEN
  odd = issue(ugly, 'Values')
  { 'Issue list' => 'purple', 'Issue list multiple' => %w[red purple], 'Issue enumeration' => '999', 'Issue user' => '9999',
    'Issue user multiple' => [amy.id.to_s, '9999'], 'Issue version' => private_version.id.to_s, 'Issue int' => 'many',
    'Issue float' => '1.', 'Issue date' => '2026-13-01', 'Issue bool' => 'yes', 'Issue link' => ' no ', 'Issue string' => ' yes ',
    'Issue text' => "a\r\nb  \r\n", 'Config key' => '' }.each { |name, value| set(odd, field(IssueCustomField, name), value) }
  hidden = issue(ugly, 'Hidden values')
  IssueCustomField.create!(name: 'By role / "x"', field_format: 'string', is_for_all: true, trackers: Tracker.all.to_a, visible: false, roles: [Role.givable.first])
  IssueCustomField.create!(name: "Lately \u{1f680}: #1", field_format: 'string', is_for_all: true, trackers: Tracker.all.to_a, is_required: true)
  IssueCustomField.create!(name: 'Shrunk', field_format: 'string', is_for_all: true, trackers: Tracker.all.to_a, max_length: 3, regexp: '^[a-z]*$')
  IssueCustomField.create!(name: 'Preset', field_format: 'string', is_for_all: true, trackers: Tracker.all.to_a, default_value: 'preset')
  set(hidden, field(IssueCustomField, 'By role / "x"'), 'x')
  set(hidden, field(IssueCustomField, 'Shrunk'), 'TOO LONG')
  set(hidden, field(IssueCustomField, 'Preset'), '')
end
%w[A B].each { |k| issue(ugly, 'Keyed').tap { |i| set(i, field(IssueCustomField, 'Config key'), k) } }
if BROKEN
  issue(ugly, 'Keyed')
  2.times { issue(ugly, 'Double key').tap { |i| set(i, field(IssueCustomField, 'Config key'), 'double') } }
end
issue(ugly, 'Key with a name').tap { |i| set(i, field(IssueCustomField, 'Config key'), ' a/b #1: "yes" ') }
if BROKEN
  [['Project list', 'purple'], ['Project user', '9999'], ['Project text', "a\r\n"]].each { |n, v| set(ugly, field(ProjectCustomField, n), v) }
  set(Version.find_by!(project: ugly, name: 'yes'), field(VersionCustomField, 'Version date'), 'soon')

end
# Attachments ------------------------------------------------------------------------------------------------------
held = issue(ugly, 'Files')
if BROKEN
  file(held, 'same.txt', 'one'); file(held, 'same.txt', 'two'); file(held, 'Same.TXT', 'three')
end
if BROKEN
  file(held, 'twice.txt', 'alike'); file(held, 'twice.txt', 'alike')
end
file(held, "odd \u{1f680} \\ #&.yaml", 'a: b'); file(held, 'empty.txt', ''); file(held, '.hidden', 'h'); file(held, 'n' * 250 + '.txt', 'n')
file(held, 'big.bin', 'b' * 1_000_000, description: ' a "b" ')
file(held, 'lost.txt', 'lost').tap { |a| File.delete(a.diskfile) } if BROKEN
if BROKEN
  file(ugly, 'same.txt', 'one'); file(ugly, 'same.txt', 'two'); file(ugly, 'manifest.yaml', 'x: y'); file(ugly, ' blank .txt', 'b')
end
file(Version.find_by!(project: ugly, name: '1.0/x'), 'same.txt', 'three', description: 'd')
file(Version.find_by!(project: ugly, name: '1.0'), '1.0.txt', 'four')

# Time, news, wiki -------------------------------------------------------------------------------------------------
design = TimeEntryActivity.find_by!(name: 'Design')
def spent(project, user, activity, **more)
  TimeEntry.new(project: project, user: user, author: user, activity: activity, spent_on: '2026-01-02', hours: 1, **more).save!(validate: false)
end
if BROKEN
  2.times { spent(ugly, admin, design) }
end
spent(ugly, amy, design, comments: ' c / "d" ', issue: tree)
spent(ugly, bob, design, hours: 1.0 / 3)
if BROKEN
  spent(ugly, gone, design)
end
spent(shut, crew.users.first, design, issue: old)
spent(ugly, amy, design, hours: 0, comments: 'nothing')
own = TimeEntryActivity.create!(name: 'Design', project: child, parent: design, active: true)
spent(child, bob, own)
if BROKEN
  retired = TimeEntryActivity.create!(name: 'Retired', active: true)
  spent(ugly, amy, retired)
  retired.update!(active: false)
end
def news(project, title, **more)
  News.new(project: project, title: title, author: User.find_by!(login: 'admin'), description: 'd', **more).save!(validate: false)
end
if BROKEN
  2.times { news(ugly, 'Twice') }
end
news(ugly, "yes / \"x\" \u{1f680}", summary: ' s ', description: "a\r\nb  \r\n")
news(ugly, 'Empty', description: '') if BROKEN
news(shut, 'Old')
file(News.last, 'news.txt', 'n')
def page(project, title, text, **more)
  found = project.wiki.pages.find_by(title: title) || WikiPage.new(wiki: project.wiki, title: title, **more)
  found.save!(validate: false)
  WikiContent.new(page: found, text: text, author: User.find_by!(login: 'admin')).save!(validate: false)
  found
end
[ugly, child, shut].each { |p| Wiki.create!(project: p, start_page: 'Wiki') unless p.wiki }
home = page(ugly, 'Home', "h1. Home\r\n\r\ntrailing  \r\n")
page(ugly, "Odd_(\"x\")_\u{1f680}_#1", "x\r\n" * 30, parent: home)
page(ugly, 'Yes', 'no'); page(ugly, 'A+b%20&c', 'x'); page(ugly, '1.0', 'dotted')
page(ugly, 'Old_name', 'moved').tap { |p| p.title = 'New_name'; p.save! }
page(ugly, 'Sidebar', 'side'); page(child, 'Wiki', 'x'); page(shut, 'Wiki', BROKEN ? "\r\n" : 'x')
page(ugly, 'Trailing', "\ufeffx\u0007")
if BROKEN
  WikiPage.new(wiki: ugly.wiki, title: 'Bare').save!(validate: false)
end
if BROKEN
  file(home, 'same.txt', 'one'); file(home, 'same.txt', 'two')
end
ugly.wiki.update!(start_page: 'Home')
child.wiki.update!(start_page: 'Nowhere') if BROKEN

# What becomes of it -----------------------------------------------------------------------------------------------
closed_version.update_columns(status: 'closed')
locked_version.update_columns(status: 'locked')
gone.destroy
bob.reload.lock!
shut.reload.close
arch.reload.archive if BROKEN
