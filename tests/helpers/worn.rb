# What was allowed once and is no longer: what Redmine keeps of it, and gives to no new object.

admin = User.current = User.find_by!(login: 'admin')

def worn_issue(project, subject, **more)
  found = Issue.new(project: project, tracker: more.delete(:tracker) || Tracker.first, subject: subject,
                    author: more.delete(:author) || User.current, status: IssueStatus.first,
                    priority: IssuePriority.first, start_date: nil, **more)
  found.save!(validate: false)
  found.reload
end

def worn_time(project, user, **more)
  TimeEntry.new({ project: project, user: user, author: user, activity: TimeEntryActivity.first,
                  spent_on: '2026-01-02', hours: 1 }.merge(more)).save!(validate: false)
end

locked, gone, member = %w[locked gone member].map do |login|
  User.create!(firstname: login, lastname: 'X', mail: "#{login}@example.net") { |user| user.login = login }
end
team = Group.create!(lastname: 'Team')
team.users << member
shop = Project.create!(name: 'Shop', identifier: 'shop')
shop.trackers = Tracker.where(name: %w[Bug Feature Risk]).to_a
shop.enabled_module_names |= %w[time_tracking wiki news]
web = Project.create!(name: 'Web', identifier: 'web', parent: shop, inherit_members: true, is_public: false)
web.trackers = Tracker.where(name: 'Bug').to_a
web.enabled_module_names |= %w[time_tracking]
Member.create!(project: shop, principal: locked, roles: [Role.find_by!(name: 'Reporter')])
Member.create!(project: shop, principal: team, roles: [Role.find_by!(name: 'Developer')])
version = Version.create!(project: shop, name: '1.0', sharing: 'descendants')
web.update!(default_version: version)

# A locked author and watcher, whose role may not add watchers.
by_locked = worn_issue(shop, 'by a locked one', author: locked)
by_locked.watchers.delete_all
[team, locked].each { |principal| Watcher.create!(watchable: by_locked, user: principal) }

# A member whose role may not add issues any more.
silent = User.create!(firstname: 'silent', lastname: 'X', mail: 'silent@example.net') { |user| user.login = 'silent' }
Member.create!(project: shop, principal: silent, roles: [Role.find_by!(name: 'Mute')])
quiet = worn_issue(shop, 'assigned to a silent one')
Issue.where(id: quiet.id).update_all(assigned_to_id: silent.id)
worn_issue(shop, 'by a silent one', author: silent).init_journal(silent, 'said once').save!

worn_issue(shop, 'tracker gone', tracker: Tracker.find_by!(name: 'Support'))
risky = worn_issue(shop, 'risky', tracker: Tracker.find_by!(name: 'Risk'))
Issue.where(id: risky.id).update_all(fixed_version_id: version.id, description: 'left over')
assigned = worn_issue(shop, 'assignee gone')
Issue.where(id: assigned.id).update_all(assigned_to_id: gone.id)

worn_issue(shop, 'urgent once', priority: IssuePriority.find_by!(name: 'Urgent'))

blocked, blocker = worn_issue(shop, 'blocked but closed'), worn_issue(shop, 'open blocker')
Issue.where(id: blocked.id).update_all(status_id: IssueStatus.find_by!(name: 'Closed').id)
IssueRelation.create!(issue_from: blocker, issue_to: blocked, relation_type: 'blocks')
top = worn_issue(shop, 'closed over an open one')
worn_issue(shop, 'still open', parent_issue_id: top.id)
Issue.where(id: top.id).update_all(status_id: IssueStatus.find_by!(name: 'Closed').id)
first, second = worn_issue(shop, 'first', due_date: '2026-01-10'), worn_issue(shop, 'second')
IssueRelation.create!(issue_from: first, issue_to: second, relation_type: 'precedes')
Issue.where(id: second.id).update_all(start_date: '2026-01-05')

twin, = 2.times.map { worn_issue(shop, 'Twin') }
worn_time(shop, member, issue: twin, comments: 'on a twin')
worn_time(shop, gone)
# Whoever is a member of the parent is one here too.
20.times { |n| worn_time(web, member, comments: "number #{n}") }

page = WikiPage.new(wiki: shop.wiki || Wiki.create!(project: shop, start_page: 'Wiki'), title: 'Empty')
page.save!
WikiContent.new(page: page, text: '', author: admin).save!(validate: false)
worn_issue(shop, 'blanks at the end of lines', description: "Steps:  \r\n\r\n* one \r\n*\ttwo\t\r\n")
locked.reload.lock!
IssuePriority.find_by!(name: 'Urgent').update!(active: false)
