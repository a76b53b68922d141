# frozen_string_literal: true

# Reads and writes what Redmine's REST API cannot write: trackers, issue statuses, roles, workflows, custom fields,
# enumerations, settings, queries and authentication sources, and who watches wiki pages and news. Runs inside Redmine 5.0
# or later:
#
#     rails runner -e production -
#
# with one line before this file on standard input, CATALOG_REQUEST='<base64 of a JSON object>'. Nothing else can be
# passed: `rails runner -` reads all of standard input as the program. The answer is one line of standard output that
# begins with the request's nonce; whatever else Redmine or its plugins print is noise.
#
# A request has an `op`: `read`, `check` (write, and roll everything back) or `write`. All of it is one transaction, with
# a savepoint for each item; an item that `needs` another one that failed is not tried. What Redmine would do without a
# word, such as to delete values, is refused with counts, or told in a note.
#
# Ruby 2.6 and later; ASCII only, as the locale of a container may know nothing else.

require 'base64'
require 'digest'
require 'json'

module Catalog
  PROTOCOL = 1

  # What must not be done, in a sentence, at a field of the item ("" for the item itself).
  class Refused < StandardError
    attr_reader :field

    def initialize(message, field = '')
      super(message)
      @field = field
    end
  end

  def self.count(number, one, many = "#{one}s")
    "#{number} #{number == 1 ? one : many}"
  end

  # The numbers that are not zero, in words: {"issue" => 3} gives "3 issues".
  def self.counts(numbers)
    numbers.reject { |_, number| number.zero? }.map { |what, number| count(number, *what) }.join(', ')
  end

  # The settings among these that have the number of a record. Redmine leaves it there when that is deleted (5.0 to 7.0).
  def self.settings_of(record, *names)
    known = names.select { |name| Setting.available_settings.key?(name) }
    known.select { |name| Array(Setting[name]).map(&:to_s).include?(record.id.to_s) }
  end

  def self.forget_in_settings(record, *names)
    settings_of(record, *names).each do |name|
      # '0' is nothing: a number cannot be empty.
      Setting[name] = Setting[name].is_a?(Array) ? Setting[name].map(&:to_s) - [record.id.to_s] : '0'
    end
  end

  # A text as people compare it: `Bug` and ` bug` are the same to them.
  def self.folded(text)
    text.to_s.unicode_normalize(:nfkc).gsub(/[[:space:]]+/, ' ').strip.downcase
  end

  # Of mails and the like, if a plugin has a queue outside: nothing may be sent, least of all by a check.
  class NoJobsAdapter
    def enqueue(*); end

    def enqueue_at(*); end

    def enqueue_all(*)
      0
    end

    def enqueue_after_transaction_commit?
      false
    end
  end

  # What stands for a record where Redmine has none: it is always there, and kept by `assign`.
  module Standing
    def new_record?
      false
    end

    def save!
      true
    end
  end

  # One kind of the catalog. `records` are all of them in their order, `row` shows one, `assign` sets declared fields.
  class Kind
    attr_reader :name, :model

    def initialize(name, model, *fields)
      @name = name
      @model = model
      # Only those that this version of Redmine has.
      @fields = fields.select { |field| model.method_defined?(field) || model.column_names.include?(field) }
    end

    def records
      @model.all.sort_by { |record| [record.position || 0, record.id] }
    end

    def rows
      records.map { |record| { id: record.id, **key(record), **row(record) } }
    end

    def key(record)
      { name: record.read_attribute(:name) }
    end

    def row(record)
      { **plain(record), position: record.position }
    end

    def plain(record)
      @fields.to_h { |field| [field.to_sym, record.public_send(field)] }
    end

    # The record of an item: by its number if that still has the expected name, else by its key.
    def find(item)
      record = item['id'] && records.detect { |one| one.id == item['id'] }
      # A script can be run again: then the record has its new name already.
      known = [item['was'], item['op'] == 'ensure' ? item['key'] : nil].compact.map(&:symbolize_keys)
      if record && item['was'] && !known.include?(key(record))
        raise Refused, "it was changed meanwhile: #{key(record).values.compact.join(' / ')}"
      end
      record || (item['id'] ? nil : by_key(item['key'].symbolize_keys))
    end

    def by_key(key)
      found = records.select { |one| key(one) == key }
      # Redmine accepts several queries of one name.
      raise Refused, "there are #{found.size} of this name; rename all but one of them" if found.size > 1

      found.first
    end

    def build(_item)
      @model.new
    end

    # Redmine compares names exactly, so that "Bug" and "bug " can be two: one of them is a mistake.
    def twin(record)
      mine = folded_key(record)
      records.detect { |one| one.id != record.id && folded_key(one) == mine }
    end

    def folded_key(record)
      key(record).transform_values { |value| Catalog.folded(value) }
    end

    # [[field, value]] of what Redmine made something else of, which it does without an error.
    def unkept(record, set)
      shown = row(record)
      set.select { |field, value| @fields.include?(field) && !same?(value, shown[field.to_sym]) }
         .map { |field, _| [field, shown[field.to_sym]] }
    end

    def same?(wanted, shown)
      return (wanted ? ['true', '1'] : ['false', '0', '']).include?(shown.to_s) if [true, false].include?(wanted)

      wanted.to_s.gsub("\r\n", "\n") == shown.to_s.gsub("\r\n", "\n")
    end

    def rename(record, key)
      record.name = key['name'] unless record.read_attribute(:name) == key['name']
    end

    def assign(record, set)
      set.each do |field, value|
        unless respond_to?("set_#{field}", true) || @fields.include?(field) || field == 'position'
          raise Refused.new("this Redmine (#{Redmine::VERSION::STRING}) has no such field", field)
        end
        respond_to?("set_#{field}", true) ? send("set_#{field}", record, value) : change(record, field, value)
      end
    end

    # Positions are written last, and only those that differ: each one moves all others.
    def change(record, field, value)
      return if field == 'position'

      record.public_send("#{field}=", value) unless record.public_send(field) == value
    end

    # What must be done after the record was saved.
    def finish(record, set)
      return unless set['position'] && record.reload.position != set['position']

      record.update!(position: set['position'])
    end

    # Sentences on what the change does besides, with counts; raises Refused for what destroys data.
    def effects(_record, _set)
      []
    end

    # What uses a record: (one, many) or one -> number.
    def uses(_record)
      {}
    end

    # What a deletion takes along, in words: (one, many) or one -> number.
    def takes_along(_record)
      {}
    end

    # The sentences on what went along.
    def destroy(record)
      used = Catalog.counts(uses(record))
      raise Refused, "it is in use: #{used}" unless used.empty?

      along = Catalog.counts(takes_along(record))
      record.destroy!
      along.empty? ? [] : ["deleted with it: #{along}"]
    end
  end

  # -- references by name ---------------------------------------------------------------------------------------------

  def self.named(model, name, field)
    return nil if name.nil?

    model.all.detect { |record| record.read_attribute(:name) == name } ||
      raise(Refused.new("#{model.model_name.human.downcase} #{name.inspect} does not exist", field))
  end

  def self.role(name, field)
    builtin = { 'non_member' => 1, 'anonymous' => 2 }[name.is_a?(Hash) ? name['builtin'] : nil]
    return Role.find_by!(builtin: builtin) if builtin

    named(Role, name, field)
  end

  class Statuses < Kind
    def initialize
      super('issue_status', IssueStatus, 'is_closed', 'description', 'default_done_ratio')
    end

    def effects(record, set)
      closes = set['is_closed'] && !record.new_record? && !record.is_closed
      issues = closes ? Issue.where(status_id: record.id, closed_on: nil).count : 0
      issues.zero? ? [] : ["#{Catalog.count(issues, 'issue')} with this status count as closed from when they got it"]
    end

    def uses(record)
      {
        'issue' => Issue.where(status_id: record.id).count,
        ['tracker that starts with it', 'trackers that start with it'] => Tracker.where(default_status_id: record.id).count
      }
    end

    def takes_along(record)
      rules = WorkflowRule.where(old_status_id: record.id).or(WorkflowRule.where(new_status_id: record.id))
      { 'workflow rule' => rules.count }
    end
  end

  class Trackers < Kind
    def initialize
      super('tracker', Tracker, 'description', 'is_in_roadmap', 'private_by_default')
    end

    def row(record)
      { **super, default_status: record.default_status&.name, core_fields: record.core_fields }
    end

    def set_default_status(record, name)
      record.default_status = Catalog.named(IssueStatus, name, 'default_status')
    end

    def set_core_fields(record, names)
      unknown = names - Tracker::CORE_FIELDS
      named = unknown.map { |name| name.delete_suffix('_id') }.join(', ')
      raise Refused.new("#{named}: this Redmine (#{Redmine::VERSION::STRING}) cannot switch it off or on", 'core_fields') if unknown.any?

      record.core_fields = names
    end

    def effects(record, set)
      return [] if record.new_record? || set['core_fields'].nil?

      told = (record.core_fields - set['core_fields'] - ['priority_id']).map do |field|
        empty = field == 'description' ? [nil, ''] : nil
        issues = Issue.where(tracker_id: record.id).where.not(column(field) => empty)
        issues = issues.where.not(done_ratio: 0) if field == 'done_ratio'
        number = issues.count
        "#{Catalog.count(number, 'issue')} will lose #{field.sub(/_id\z/, '')} when next saved" if number.positive?
      end
      told.compact
    end

    def column(field)
      field == 'parent_issue_id' ? 'parent_id' : field
    end

    # In an archived project nobody can disable it.
    def uses(record)
      projects = record.projects.where.not(status: Project::STATUS_ARCHIVED).count
      { 'issue' => Issue.where(tracker_id: record.id).count, 'project' => projects }
    end

    def takes_along(record)
      {
        'workflow rule' => WorkflowRule.where(tracker_id: record.id).count,
        ['place in an archived project', 'places in archived projects'] => record.projects.count,
        ['place in a custom field', 'places in custom fields'] => record.custom_fields.count,
        ['place in the settings', 'places in the settings'] => Catalog.settings_of(record, NEW_PROJECTS).size
      }
    end

    NEW_PROJECTS = 'default_projects_tracker_ids'

    def destroy(record)
      # New projects would have no tracker, and Redmine fails at each of their issues (500; 5.0).
      only = Catalog.settings_of(record, NEW_PROJECTS).any? && Array(Setting[NEW_PROJECTS]).reject(&:blank?).size == 1
      raise Refused, "it is the only tracker of new projects (the setting #{NEW_PROJECTS})" if only

      notes = super
      # Redmine leaves the numbers behind (5.0 to 7.0).
      Role.all.select { |role| forget(role, record.id.to_s) }.each(&:save!)
      Catalog.forget_in_settings(record, NEW_PROJECTS)
      notes
    end

    def forget(role, id)
      limited = role.permissions_tracker_ids.select { |_, ids| Array(ids).map(&:to_s).include?(id) }
      limited.each { |name, ids| role.set_permission_trackers(name, Array(ids).map(&:to_s) - [id]) }
      limited.any?
    end
  end

  class Roles < Kind
    BUILTIN = { 1 => 'non_member', 2 => 'anonymous' }.freeze

    def initialize
      super('role', Role, 'assignable', 'issues_visibility', 'time_entries_visibility', 'users_visibility',
            'all_roles_managed')
      @activities = Role.method_defined?(:default_time_entry_activity)
    end

    def records
      Role.all.sort_by { |role| [role.builtin, role.position || 0, role.id] }
    end

    def key(record)
      return { name: nil, builtin: BUILTIN[record.builtin] } if record.builtin?

      { name: record.read_attribute(:name), builtin: nil }
    end

    # Redmine makes the built-in roles as soon as it is asked for them, which may be between a plan and its writes.
    def find(item)
      item['op'] == 'create' && item['key']['builtin'] ? nil : super
    end

    def build(item)
      case item['key']['builtin']
      when 'non_member' then Role.non_member
      when 'anonymous' then Role.anonymous
      else super
      end
    end

    def rename(record, key)
      super unless record.builtin?
    end

    def row(record)
      shown = {
        **super, permissions: (record.permissions || []).map(&:to_s).sort,
        managed_roles: record.managed_roles.map(&:name).sort, permissions_trackers: limited(record)
      }
      shown[:default_time_entry_activity] = record.default_time_entry_activity&.name if @activities
      shown
    end

    # permission -> names of the trackers that it is limited to.
    def limited(record)
      names = Tracker.all.to_h { |tracker| [tracker.id, tracker.name] }
      chosen = record.permissions_all_trackers.select { |_, all| all.to_s == '0' }.keys
      chosen.sort.to_h { |name| [name, record.permissions_tracker_ids(name).map { |id| names[id] }.compact.sort] }
    end

    def set_permissions(record, names)
      possible = record.setable_permissions.map { |permission| permission.name.to_s }
      unknown = names - possible
      raise Refused.new("#{unknown.join(', ')}: this role cannot have it", 'permissions') if unknown.any?

      record.permissions = names
    end

    def set_managed_roles(record, names)
      # In `finish`: a role can manage another one that is created in the same request.
    end

    def set_default_time_entry_activity(record, name)
      raise Refused.new('Redmine 6.0 or later is required', 'default_time_entry_activity') unless @activities

      activity = name && TimeEntryActivity.shared.detect { |one| one.name == name }
      raise Refused.new("activity #{name.inspect} does not exist", 'default_time_entry_activity') if name && !activity

      record.default_time_entry_activity = activity
    end

    # The ones that Redmine asks trackers for; it stores others, too (5.0 to 7.0).
    LIMITED = %w[view_issues add_issues edit_issues add_issue_notes delete_issues].freeze

    def set_permissions_trackers(record, limits)
      unknown = limits.keys - LIMITED
      raise Refused.new("#{unknown.join(', ')}: only for all trackers", 'permissions_trackers') if unknown.any?

      (record.permissions_all_trackers.keys - limits.keys).each { |name| record.set_permission_trackers(name, :all) }
      limits.each do |name, trackers|
        ids = trackers.map { |tracker| Catalog.named(Tracker, tracker, 'permissions_trackers').id.to_s }
        record.set_permission_trackers(name, ids)
      end
    end

    def finish(record, set)
      if set['managed_roles']
        record.managed_roles = set['managed_roles'].map { |name| Catalog.role(name, 'managed_roles') }
      end
      super
    end

    def uses(record)
      { 'member' => MemberRole.where(role_id: record.id).distinct.count(:member_id) }
    end

    def takes_along(record)
      {
        'workflow rule' => WorkflowRule.where(role_id: record.id).count,
        ['place in a query', 'places in queries'] => record.queries.count,
        ['place in a custom field', 'places in custom fields'] => record.custom_fields.count + members_of(record).size,
        ['place in the settings', 'places in the settings'] => Catalog.settings_of(record, CREATORS).size
      }
    end

    CREATORS = 'new_project_user_role_id'

    def destroy(record)
      raise Refused, 'every Redmine has this role' if record.builtin?

      [CustomField, Query].each { |model| only!(record, model) }
      fields = members_of(record)
      alone = fields.select { |field| roles_of(field) == [record.id.to_s] }.map(&:name)
      raise Refused, "it is the only role of the users that custom fields take: #{alone.join(', ')}" if alone.any?

      # Redmine leaves these behind (5.0 to 7.0).
      Role.all.each { |role| role.managed_roles.delete(record) if role.managed_roles.include?(record) }
      notes = super
      fields.each { |field| field.update!(user_role: roles_of(field) - [record.id.to_s]) }
      Catalog.forget_in_settings(record, CREATORS)
      notes
    end

    # The custom fields for users that take members with the role.
    def members_of(record)
      CustomField.where(field_format: 'user').select { |field| roles_of(field).include?(record.id.to_s) }
    end

    def roles_of(field)
      Array(field.user_role).reject(&:blank?).map(&:to_s)
    end

    # What only this role sees would be seen by administrators alone.
    def only!(record, model)
      shown = model == Query ? Query.where(visibility: 1) : CustomField.where(visible: false)
      alone = shown.select { |one| one.roles.to_a == [record] }.map(&:name)
      what = Catalog.count(alone.size, *(model == Query ? %w[query queries] : ['custom field']))
      raise Refused, "it is the only role that sees #{what}: #{alone.join(', ')}" if alone.any?
    end
  end

  # The transitions and field rules of a tracker and a role; every pair exists, perhaps without any.
  class Workflows < Kind
    FOR = { [false, false] => 'always', [true, false] => 'author', [false, true] => 'assignee',
            [true, true] => 'author_assignee' }.freeze

    Pair = Struct.new(:tracker, :role) do
      def id
        "#{tracker.id}-#{role.id}"
      end

      include Standing
    end

    def initialize
      super('workflow', WorkflowRule)
      @roles = Roles.new
    end

    def records
      Tracker.sorted.flat_map { |tracker| @roles.records.map { |role| Pair.new(tracker, role) } }
    end

    def rows
      @read = { WorkflowTransition => grouped(WorkflowTransition), WorkflowPermission => grouped(WorkflowPermission) }
      @statuses = statuses
      @custom = custom_fields
      super
    end

    def grouped(model)
      model.all.group_by { |rule| [rule.tracker_id, rule.role_id] }
    end

    def key(pair)
      role = @roles.key(pair.role)
      { tracker: pair.tracker.name, role: role[:name], builtin: role[:builtin] }
    end

    def row(pair)
      { transitions: transitions(pair), fields: field_rules(pair) }
    end

    def rename(pair, key); end

    def twin(pair); end

    def of(model, pair)
      at = { tracker_id: pair.tracker.id, role_id: pair.role.id }
      @read ? @read[model].fetch(at.values, []) : model.where(at).to_a
    end

    # A new issue has number 0.
    def statuses
      IssueStatus.pluck(:id, :name).to_h.merge(0 => nil)
    end

    def custom_fields
      IssueCustomField.pluck(:id, :name).map { |id, name| [id.to_s, { custom_field: name }] }.to_h
    end

    # Without what means nothing: transitions of a status to itself, and rules of what was deleted (5.0 to 7.0).
    def transitions(pair)
      names = @statuses || statuses
      told = of(WorkflowTransition, pair).select do |rule|
        sides = [rule.old_status_id, rule.new_status_id]
        sides.uniq.size == 2 && sides.all? { |id| names.key?(id) }
      end
      shown = told.map do |rule|
        { from: names[rule.old_status_id], to: names[rule.new_status_id], for: FOR[[rule.author, rule.assignee]] }
      end
      shown.uniq
    end

    def field_rules(pair)
      names = @statuses || statuses
      fields = @custom || custom_fields
      told = of(WorkflowPermission, pair).map do |rule|
        field = rule.field_name =~ /\A\d+\z/ ? fields[rule.field_name] : { field: rule.field_name }
        { status: names[rule.old_status_id], **field, rule: rule.rule } if field && names[rule.old_status_id]
      end
      told.compact.uniq
    end

    def assign(pair, set)
      @read = nil
      set_transitions(pair, set['transitions']) if set['transitions']
      set_fields(pair, set['fields']) if set['fields']
    end

    def finish(pair, set); end

    def set_transitions(pair, wanted)
      flags = FOR.invert
      rows = wanted.map do |one|
        raise Refused.new('a transition to nothing', 'transitions') if one['to'].nil?

        from, to = %w[from to].map { |side| Catalog.named(IssueStatus, one[side], 'transitions')&.id || 0 }
        raise Refused.new("a transition from #{one['to'].inspect} to itself", 'transitions') if from == to

        [from, to, *flags.fetch(one['for'])]
      end
      live = of(WorkflowTransition, pair).group_by { |r| [r.old_status_id, r.new_status_id, r.author, r.assignee] }
      # Beyond the first, equal ones are twins, which Redmine stores.
      live.each { |row, rules| (rows.include?(row) ? rules.drop(1) : rules).each(&:destroy!) }
      (rows.uniq - live.keys).each do |from, to, author, assignee|
        WorkflowTransition.create!(tracker: pair.tracker, role: pair.role, old_status_id: from, new_status_id: to,
                                   author: author, assignee: assignee)
      end
    end

    def set_fields(pair, wanted)
      rows = wanted.map do |one|
        raise Refused.new('a rule for no status', 'fields') if one['status'].nil?

        status = Catalog.named(IssueStatus, one['status'], 'fields').id
        field = one['field'] || Catalog.named(IssueCustomField, one['custom_field'], 'fields').id.to_s
        [status, field, one['rule']]
      end
      live = of(WorkflowPermission, pair).group_by { |rule| [rule.old_status_id, rule.field_name, rule.rule] }
      live.each { |row, rules| (rows.include?(row) ? rules.drop(1) : rules).each(&:destroy!) }
      (rows.uniq - live.keys).each do |status, field, rule|
        WorkflowPermission.create!(tracker: pair.tracker, role: pair.role, old_status_id: status, field_name: field,
                                   rule: rule)
      end
    end

    def unkept(_pair, _set)
      []
    end

    def destroy(pair)
      rules = WorkflowRule.where(tracker_id: pair.tracker.id, role_id: pair.role.id).delete_all
      rules.zero? ? [] : ["deleted: #{Catalog.count(rules, 'workflow rule')}"]
    end
  end

  class CustomFields < Kind
    CLASSES = %w[issue project version user group time_entry document issue_priority time_entry_activity
                 document_category].freeze
    STORED = %w[url_pattern text_formatting edit_tag_style extensions_allowed full_width_layout thousands_delimiter
                ratio_interval].freeze

    def initialize
      super('custom_field', CustomField, 'field_format', 'description', 'is_required', 'is_filter', 'searchable',
            'editable', 'visible', 'multiple', 'regexp', 'min_length', 'max_length', 'is_for_all', *STORED)
      @fields << 'default_value_mode' if CustomField.column_names.include?('default_value_mode')
    end

    def self.class_of(name)
      "#{name.camelize}CustomField".constantize
    end

    def records
      CustomField.all.sort_by { |field| [field.type, field.position || 0, field.id] }
    end

    def build(item)
      CustomFields.class_of(item['key']['class']).new
    end

    def key(record)
      { class: record.type.delete_suffix('CustomField').underscore, name: record.name }
    end

    def row(record)
      shown = super
      shown[:default_value] = default(record)
      shown[:possible_values] = record.possible_values || [] if record.field_format == 'list'
      if record.field_format == 'enumeration'
        shown[:options] = record.enumerations.reload.map { |o| { id: o.id, name: o.name, active: o.active } }
      end
      shown[:user_role] = names(Role, record.user_role) if record.field_format == 'user'
      shown[:version_status] = Array(record.version_status) - [''] if record.field_format == 'version'
      shown[:roles] = record.roles.map(&:name).sort if record.respond_to?(:roles)
      shown[:trackers] = record.trackers.map(&:name).sort if record.respond_to?(:trackers)
      shown
    end

    def names(model, ids)
      all = model.all.to_h { |record| [record.id.to_s, record.name] }
      # Of what is gone, its number is left; without it, the field would look as if it took everything.
      Array(ids).reject(&:blank?).map { |id| all[id.to_s] || "##{id}" }.sort
    end

    # A default is shown by name where it is stored as a number.
    def default(record)
      values = Array(record.default_value).reject(&:blank?)
      return nil if values.empty?

      case record.field_format
      when 'enumeration' then record.enumerations.detect { |option| option.id.to_s == values[0] }&.name
      when 'user' then User.find_by(id: values[0])&.login
      else values[0]
      end
    end

    def set_field_format(record, format)
      if record.new_record?
        record.field_format = format
      elsif record.field_format != format
        # Redmine ignores it without an error (5.0 to 7.0).
        raise Refused.new("it cannot be changed, and is #{record.field_format}", 'field_format')
      end
    end

    # The format first: the others depend on it, and a format that Redmine ignores is refused before they are set.
    def assign(record, set)
      super(record, set.sort_by { |field, _| field == 'field_format' ? 0 : 1 }.to_h)
    end

    def set_multiple(record, multiple)
      several = record.multiple && !multiple ? several(record) : 0
      # Redmine keeps one value of each object and deletes the others (5.0 to 7.0).
      raise Refused.new("#{Catalog.count(several, 'object')} would lose values", 'multiple') if several.positive?

      record.multiple = multiple
    end

    def several(record)
      objects = CustomValue.where(custom_field_id: record.id).group(:customized_type, :customized_id)
      objects.having('COUNT(*) > 1').count.size
    end

    def set_roles(record, names)
      record.roles = names.map { |name| Catalog.role(name, 'roles') }
    end

    def set_trackers(record, names)
      raise Refused.new('only custom fields of issues have trackers', 'trackers') unless record.respond_to?(:trackers=)

      record.trackers = names.map { |name| Catalog.named(Tracker, name, 'trackers') }
    end

    def set_user_role(record, names)
      record.user_role = names.map { |name| Catalog.role(name, 'user_role').id.to_s }
    end

    def set_version_status(record, statuses)
      record.version_status = statuses
    end

    # Texts, or {value, renamed_from}. Values are stored as texts, so those of objects are renamed along.
    def set_possible_values(record, values)
      wanted = values.map { |value| value.is_a?(Hash) ? value['value'] : value }
      lines!(wanted)
      distinct!(wanted, 'possible_values')
      renames = values.grep(Hash).select { |value| renames?(record, value, wanted) }
      renamed = renames.map { |value| [value['renamed_from'], value['value']] }.to_h
      removed = (record.possible_values || []) - wanted - renamed.keys
      unused!(record, removed, removed, 'possible_values')
      record.possible_values = wanted
      record.default_value = renamed[record.default_value] if renamed.key?(record.default_value)
      @renamed = renamed
    end

    # Not again after it was done, and not if the old value stays.
    def renames?(record, value, wanted)
      from = value['renamed_from']
      live = record.possible_values || []
      from && live.include?(from) && !live.include?(value['value']) && !wanted.include?(from)
    end

    # Redmine strips values, leaves out empty ones, and its form has one on each line.
    def lines!(values)
      odd = values.reject { |value| value.is_a?(String) && value == value.strip && value =~ /\A[^\r\n]+\z/ }
      raise Refused.new("not a line of text: #{odd.map(&:inspect).join(', ')}", 'possible_values') if odd.any?
    end

    def distinct!(names, field)
      twice = names.group_by { |name| Catalog.folded(name) }.values.select { |same| same.size > 1 }.map(&:first)
      raise Refused.new("more than once: #{twice.join(', ')}", field) if twice.any?
    end

    def unused!(record, names, stored, field)
      return if record.new_record?

      values = CustomValue.where(custom_field_id: record.id)
      used = names.zip(stored).to_h { |name, value| [name, values.where(value: value).count] }
      used.reject! { |_, number| number.zero? }
      return if used.empty?

      raise Refused.new("in use: #{used.map { |name, number| "#{name} (#{number})" }.join(', ')}", field)
    end

    # In `finish`: the field must have a number.
    def set_options(record, options); end

    # At once where it is stored as it is: the values that are left must include it.
    def set_default_value(record, value)
      record.default_value = value.to_s unless %w[enumeration user].include?(record.field_format)
    end

    def finish(record, set)
      (@renamed || {}).each { |from, to| rename_value(record, from, to) }
      write_options(record, set['options']) if set['options']
      write_default(record, set['default_value']) if set.key?('default_value')
      super
    end

    def rename_value(record, from, to)
      CustomValue.where(custom_field_id: record.id, value: from).update_all(value: to)
      Query.all.each do |query|
        filter = (query.filters || {})["cf_#{record.id}"]
        values = filter && (filter[:values] || filter['values'])
        next unless values.is_a?(Array) && values.include?(from)

        filter[filter.key?(:values) ? :values : 'values'] = values.map { |value| value == from ? to : value }
        # The person's own, perhaps: nothing else of it is touched.
        query.update_columns(filters: query.filters)
      end
    end

    def write_options(record, options)
      distinct!(options.map { |option| option['name'] }, 'options')
      live = record.enumerations.to_a
      kept = options.map { |option| option_of(live, option, options) }
      removed = live - kept
      ids = removed.map { |option| option.id.to_s }
      unused!(record, removed.map(&:name), ids, 'options')
      record.default_value = '' if ids.include?(record.default_value)
      removed.each(&:destroy!)
      options.each_with_index do |option, index|
        one = kept[index] || record.enumerations.build
        one.name = option['name']
        one.active = option['active'] unless option['active'].nil?
        one.save!
        # Set by itself: a new option gets the last position, whatever it is given.
        one.update!(position: index + 1) unless one.position == index + 1
      end
      record.enumerations.reset
    end

    def option_of(live, option, options)
      named = ->(name) { name && live.detect { |one| one.name == name } }
      from = option['renamed_from']
      named.call(option['name']) || (options.none? { |other| other['name'] == from } && named.call(from)) || nil
    end

    def write_default(record, value)
      stored = stored_default(record, value)
      return if Array(record.default_value).map(&:to_s).reject(&:empty?) == Array(stored).reject(&:empty?)

      record.default_value = stored
      record.save!
    end

    def stored_default(record, value)
      return '' if value.nil?

      found =
        case record.field_format
        when 'enumeration' then record.enumerations.detect { |option| option.name == value }&.id&.to_s
        when 'user' then User.find_by(login: value)&.id&.to_s
        else return value.to_s
        end
      found || raise(Refused.new("#{value.inspect} does not exist", 'default_value'))
    end

    def uses(record)
      { 'value' => CustomValue.where(custom_field_id: record.id).where.not(value: [nil, '']).count }
    end

    def effects(record, set)
      return [] if record.new_record?

      lost = set['visible'] && !record.visible ? record.roles.map(&:name) : []
      cleared = lost.empty? ? [] : ["everybody sees it from now on; its roles are cleared: #{lost.join(', ')}"]
      return cleared unless record.respond_to?(:trackers)

      lose = 'will lose the value when next saved'
      tracked, placed = left(record, set)
      cleared << "#{Catalog.count(tracked, 'issue')} #{lose}" if tracked.positive?
      cleared << "#{Catalog.count(placed, 'issue')} #{lose}, unless their projects are given the field" if placed.positive?
      cleared
    end

    # Numbers of issues that have a value: those of trackers that it is taken from, and those in projects that do not have
    # it by themselves, if it is no longer for all.
    def left(record, set)
      values = CustomValue.where(custom_field_id: record.id, customized_type: 'Issue').where.not(value: [nil, ''])
      issues = Issue.where(id: values.select(:customized_id))
      gone = set['trackers'] ? record.trackers.reject { |tracker| set['trackers'].include?(tracker.name) } : []
      taken = set['is_for_all'] == false && record.is_for_all
      rest = issues.where.not(tracker_id: gone).where.not(project_id: record.projects.map(&:id))
      [issues.where(tracker_id: gone).count, taken ? rest.count : 0]
    end

    def takes_along(record)
      queries = Query.all.count { |query| mentions?(query, "cf_#{record.id}") }
      {
        'workflow rule' => WorkflowPermission.where(field_name: record.id.to_s).count,
        ['place in a query', 'places in queries'] => queries
      }
    end

    def mentions?(query, name)
      sorted = (query.sort_criteria || []).map(&:first)
      used = [*(query.filters || {}).keys, *(query.column_names || []), query.group_by, *sorted]
      used.map(&:to_s).include?(name)
    end

    def destroy(record)
      notes = super
      # Redmine leaves the rules of workflows about it behind (5.0 to 7.0).
      WorkflowPermission.where(field_name: record.id.to_s).delete_all
      notes
    end
  end

  # Priorities, activities and document categories. `project` is set for what a project has of its own.
  class Enumerations < Kind
    USERS = { 'issue_priority' => ['issue'], 'time_entry_activity' => ['time entry', 'time entries'],
              'document_category' => ['document'] }.freeze

    def initialize(name, model)
      super(name, model, 'is_default', 'active')
    end

    def records
      super.select { |record| record.project_id.nil? }
    end

    def row(record)
      { **super, custom_fields: values(record) }
    end

    def values(record)
      record.custom_field_values.to_h { |value| [value.custom_field.name, value.value] }
    end

    def set_custom_fields(record, values)
      known = record.available_custom_fields.index_by(&:name)
      unknown = values.keys - known.keys
      raise Refused.new("#{unknown.join(', ')}: no such custom field", 'custom_fields') if unknown.any?

      record.custom_field_values = values.to_h { |name, value| [known[name].id.to_s, value] }
    end

    def effects(record, set)
      overrides = record.new_record? ? 0 : @model.where(parent_id: record.id).count
      others = @model.shared.where(is_default: true).where.not(id: record.id).pluck(:name)
      notes = []
      notes << "also renames it in #{Catalog.count(overrides, 'project')}" if set['__renamed'] && overrides.positive?
      notes << "no longer the default: #{others.join(', ')}" if set['is_default'] && !record.is_default && others.any?
      notes
    end

    def uses(record)
      overrides = @model.where(parent_id: record.id).count
      { USERS.fetch(@name) => record.objects_count, ['project that overrides it', 'projects that override it'] => overrides }
    end
  end

  class ProjectActivities < Enumerations
    def initialize
      super('project_time_entry_activity', TimeEntryActivity)
      @fields = ['active']
    end

    def records
      TimeEntryActivity.where.not(project_id: nil).where.not(parent_id: nil).includes(:project, :parent).to_a
    end

    def key(record)
      { project: record.project.identifier, name: record.parent.name }
    end

    def row(record)
      super.except(:position)
    end

    def build(item)
      project = Project.find_by(identifier: item['key']['project']) || raise(Refused, 'the project does not exist')
      parent = TimeEntryActivity.shared.detect { |one| one.name == item['key']['name'] }
      raise Refused, 'there is no such activity' unless parent

      # Redmine lets projects override activities through this method only; values come from the shared one.
      TimeEntryActivity.new(name: parent.name, parent: parent, project: project, active: parent.active,
                            position: parent.position)
    end

    def rename(record, key); end

    def twin(record); end

    def finish(record, set)
      return if record.previously_new_record? == false

      # Time that was logged on the shared activity in this project moves to the project's own.
      record.project.time_entries.where(activity_id: record.parent_id).update_all(activity_id: record.id)
    end

    def destroy(record)
      moved = record.project.time_entries.where(activity_id: record.id).update_all(activity_id: record.parent_id)
      record.reload.destroy!
      moved.zero? ? [] : ["moved to the shared activity: #{Catalog.count(moved, 'time entry', 'time entries')}"]
    end
  end

  # The values of settings, one object each. Those of plugins and the keys are neither shown nor written.
  class Settings < Kind
    SECRET = %w[mail_handler_api_key sys_api_key].freeze
    # Stored by number, shown by name.
    NAMED = {
      'default_projects_tracker_ids' => -> { Tracker.all },
      'new_project_user_role_id' => -> { Role.where(builtin: 0) },
      'commit_logtime_activity_id' => -> { TimeEntryActivity.shared },
      'default_issue_query' => -> { IssueQuery.where(project_id: nil, visibility: 2) },
      'default_project_query' => -> { ProjectQuery.where(visibility: 2) }
    }.freeze
    # The parts of a rule of `commit_update_keywords` that are stored by number.
    RULE = { 'status' => ['status_id', IssueStatus], 'if_tracker' => ['if_tracker_id', Tracker] }.freeze
    SETS = %w[default_projects_modules default_projects_tracker_ids default_users_auto_watch_on enabled_scm
              non_working_week_days notified_events password_required_char_classes timelog_required_fields].freeze
    DERIVED = %w[derived independent].freeze
    COPIES = %w[yes no ask].freeze
    # What Redmine's own forms offer; Redmine itself stores anything.
    CHOICES = {
      'self_registration' => -> { %w[0 1 2 3] },
      'twofa' => -> { Setting.respond_to?(:twofa_required_for_administrators?) ? %w[0 1 2 3] : %w[0 1 2] },
      'new_item_menu_tab' => -> { %w[0 1 2] },
      'default_language' => -> { I18n.available_locales.map(&:to_s) },
      'protocol' => -> { %w[http https] },
      'text_formatting' => -> { ['', *Redmine::WikiFormatting.format_names.map(&:to_s)] },
      'wiki_compression' => -> { ['', 'gzip'] },
      'user_format' => -> { User::USER_FORMATS.keys.map(&:to_s) },
      'date_format' => -> { ['', *Setting::DATE_FORMATS] },
      'time_format' => -> { ['', *Setting::TIME_FORMATS] },
      'timespan_format' => -> { %w[decimal minutes] },
      'start_of_week' => -> { ['', '1', '6', '7'] },
      'non_working_week_days' => -> { %w[1 2 3 4 5 6 7] },
      'default_notification_option' => -> { User::MAIL_NOTIFICATION_OPTIONS.map { |option| option.first.to_s } },
      'default_users_time_zone' => -> { ['', *ActiveSupport::TimeZone.all.map(&:name)] },
      'default_users_auto_watch_on' => -> { %w[issue_created issue_contributed_to] },
      'default_projects_modules' => -> { Redmine::AccessControl.available_project_modules.map(&:to_s) },
      'enabled_scm' => -> { Redmine::Scm::Base.all },
      'notified_events' => -> { Redmine::Notifiable.all.map(&:name) },
      'mail_handler_preferred_body_part' => -> { %w[plain html] },
      'issue_done_ratio' => -> { Issue::DONE_RATIO_OPTIONS },
      'cross_project_subtasks' => -> { ['', 'system', 'tree', 'hierarchy', 'descendants'] },
      'parent_issue_dates' => -> { DERIVED },
      'parent_issue_priority' => -> { DERIVED },
      'parent_issue_done_ratio' => -> { DERIVED },
      'link_copied_issue' => -> { COPIES },
      'copy_attachments_on_issue_copy' => -> { COPIES },
      'project_list_display_type' => -> { %w[board list] },
      'password_required_char_classes' => -> { Setting::PASSWORD_CHAR_CLASSES.keys },
      'timelog_required_fields' => -> { %w[issue_id comments] }
    }.freeze
    CUSTOM = /\A(.*\.)?cf_(\d+)\z/.freeze
    # Whose custom fields the columns of a list show, by the beginning of the setting's name or of the column's.
    OWNERS = { 'issue' => 'Issue', 'related_issues' => 'Issue', 'project' => 'Project', 'time_entry' => 'TimeEntry',
               'author.' => 'User', 'assigned_to.' => 'User', 'user.' => 'User', 'issue.' => 'Issue',
               'project.' => 'Project', 'fixed_version.' => 'Version' }.freeze

    Named = Struct.new(:name) do
      def id
        name
      end

      include Standing
    end

    def initialize
      super('setting', Setting)
    end

    def records
      names = Setting.available_settings.keys.reject { |name| name.start_with?('plugin_') || SECRET.include?(name) }
      names.sort.map { |name| Named.new(name) }
    end

    def key(record)
      { name: record.name }
    end

    def row(record)
      { value: shown(record.name), format: format(record.name) }
    end

    # boolean, integer, text, mapping, or a list: `set` where its order means nothing, `list` where it does.
    def format(name)
      definition = Setting.available_settings[name]
      return SETS.include?(name) ? 'set' : 'list' if Array === definition['default'] || SETS.include?(name)
      return 'mapping' if definition['serialized']
      return 'text' if NAMED.key?(name) || CHOICES.key?(name)
      return 'integer' if definition['format'] == 'int' || name == 'search_results_per_page'

      [0, 1].include?(definition['default']) ? 'boolean' : 'text'
    end

    def shown(name)
      value = Setting[name]
      return named(name, value) if NAMED.key?(name)

      case format(name)
      when 'boolean' then value.to_i.positive?
      when 'integer' then value.blank? ? nil : value.to_i
      when 'list', 'set' then Array(value).map { |one| one.is_a?(Hash) ? rule(one) : column(one.to_s) }
      when 'mapping' then (value || {}).to_h { |part, some| [part.to_s, Array(some).map { |one| column(one.to_s) }] }
      else value.to_s
      end
    end

    def named(name, value)
      all = NAMED[name].call.to_h { |one| [one.id.to_s, one.name] }
      # A list of trackers that was never set means all of them.
      return all.values if SETS.include?(name) && !value.is_a?(Array)
      value.is_a?(Array) ? value.map { |id| all[id.to_s] }.compact : all[value.to_s].to_s
    end

    def rule(stored)
      stored.to_h do |part, value|
        shown, (_, model) = RULE.detect { |_, (column, _)| column == part.to_s }
        shown ? [shown, model.find_by(id: value)&.name] : [part.to_s, value.to_s]
      end
    end

    def column(name)
      match = CUSTOM.match(name)
      field = match && CustomField.find_by(id: match[2])
      field ? { "#{match[1]}custom_field" => field.name } : name
    end

    def rename(record, key); end

    def twin(record); end

    def assign(record, set)
      name, value = record.name, set['value']
      check(name, value)
      stored = stored(name, value)
      # This one is taken apart as the form has it, in columns.
      return Setting[name] = stored if name == 'commit_update_keywords'

      errors = Setting.set_all_from_params(name => stored)
      raise Refused.new(errors.map(&:last).join('; '), 'value') if errors.present?

      kept!(record, stored)
    end

    # A value that is no number is dropped, and what was there before stays (5.0 to 7.0).
    def kept!(record, value)
      Setting.clear_cache
      return if value.is_a?(Array) || value.is_a?(Hash) || Setting[record.name].to_s == value.to_s

      raise Refused.new("Redmine does not take it, and keeps #{Setting[record.name].inspect}", 'value')
    end

    # With `twofa` off, Redmine removes the second factor of everybody.
    def effects(record, set)
      return [] unless record.name == 'twofa' && stored('twofa', set['value']).to_s == '0' && Setting.twofa?

      users = User.where.not(twofa_scheme: [nil, '']).count
      users.zero? ? [] : ["#{Catalog.count(users, 'user')} will lose the second factor"]
    end

    def unkept(_record, _set)
      []
    end

    def check(name, value)
      refuse('it would end all access by the API') if name == 'rest_api_enabled' && !value
      case format(name)
      when 'integer'
        refuse('expected a whole number') unless value.to_s.match?(/\A-?\d*\z/)
        refuse('expected a number from 0 on') if value.to_i.negative?
      when 'text'
        refuse('expected at most 255 characters') if name == 'app_title' && value.to_s.length > 255
      end
      choices = CHOICES[name]&.call
      wrong = choices ? Array(value).map(&:to_s) - choices : []
      refuse("#{wrong.map(&:inspect).join(', ')} is none of #{offered(choices)}") if wrong.any?
    end

    def offered(choices)
      shown = choices.reject(&:blank?)
      shown.size > 40 ? "#{shown.first(40).join(', ')} ..." : shown.join(', ')
    end

    def refuse(message)
      raise Refused.new(message, 'value')
    end

    def stored(name, value)
      return by_number(name, value) if NAMED.key?(name)

      case value
      when true then '1'
      when false then '0'
      when Array then value.map { |one| name == 'commit_update_keywords' ? stored_rule(one) : stored_column(name, one) }
      when Hash then value.transform_values { |some| some.map { |one| stored_column(name, one) } }
      else value.to_s
      end
    end

    def by_number(name, value)
      return value.map { |one| by_number(name, one) } if value.is_a?(Array)
      # For a number, Redmine takes nothing else for nothing.
      return Setting.available_settings[name]['format'] == 'int' ? '0' : '' if value.blank?

      found = NAMED[name].call.detect { |one| one.name == value }
      refuse("#{NAMED[name].call.klass.model_name.human.downcase} #{value.inspect} does not exist") unless found
      found.id.to_s
    end

    def stored_rule(one)
      one.to_h do |part, value|
        column, model = RULE[part]
        column ? [column, Catalog.named(model, value, 'value').id.to_s] : [part, value.to_s]
      end
    end

    def stored_column(name, one)
      return one.to_s unless one.is_a?(Hash)

      key, field = one.first
      prefix = key.delete_suffix('custom_field')
      owner = OWNERS[prefix] || OWNERS.detect { |start, _| name.start_with?(start) }&.last
      found = owner && CustomField.find_by(type: "#{owner}CustomField", name: field)
      refuse("custom field #{field.inspect} does not exist") unless found
      "#{prefix}cf_#{found.id}"
    end

    def finish(record, set); end

    def destroy(record)
      Setting.where(name: record.name).destroy_all
      Setting.clear_cache
      []
    end
  end

  # The order of a list: the declared ones take each other's places, all others stay where they are.
  class Orders < Kind
    LISTS = {
      'issue_statuses' => -> { IssueStatus.all }, 'trackers' => -> { Tracker.all },
      'roles' => -> { Role.where(builtin: 0) }, 'issue_priorities' => -> { IssuePriority.shared },
      'time_entry_activities' => -> { TimeEntryActivity.shared }, 'document_categories' => -> { DocumentCategory.shared }
    }.freeze

    def initialize
      super('order', Setting)
    end

    def lists
      fields = CustomFields::CLASSES.to_h do |one|
        ["custom_fields/#{one}", -> { CustomField.where(type: "#{one.camelize}CustomField") }]
      end
      { **LISTS, **fields }
    end

    def records
      lists.keys.map { |name| Settings::Named.new(name) }
    end

    def key(record)
      { name: record.name }
    end

    def row(record)
      { names: sorted(record.name).map { |one| one.read_attribute(:name) } }
    end

    # By number where positions are equal, as Redmine's own lists mostly are.
    def sorted(name)
      lists.fetch(name).call.unscope(:order).sort_by { |one| [one.position || 0, one.id] }
    end

    def rename(record, key); end

    def twin(record); end

    def assign(record, set)
      listed = sorted(record.name)
      wanted = set['names'].map do |name|
        found = listed.detect { |one| one.read_attribute(:name) == name }
        found || raise(Refused.new("#{name.inspect} does not exist", 'names'))
      end
      queue = wanted.dup
      place(record.name, listed.map { |one| wanted.include?(one) ? queue.shift : one })
    end

    # Each save moves those between the old place and the new one, so only what is not at its place is saved.
    def place(name, target)
      normalize(name)
      target.each_with_index do |one, index|
        one.reload
        one.update!(position: index + 1) unless one.position == index + 1
      end
    end

    # Positions that are missing, equal or have gaps (older data) become 1, 2, 3.
    def normalize(name)
      listed = sorted(name)
      return if listed.map(&:position) == (1..listed.size).to_a

      listed.each_with_index { |one, index| one.update_columns(position: index + 1) }
    end

    def finish(record, set); end

    def destroy(_record)
      raise Refused, 'an order cannot be deleted'
    end
  end

  # Public queries and those for some roles; what belongs to one person is left alone.
  class Queries < Kind
    VISIBILITY = { 0 => 'private', 1 => 'roles', 2 => 'public' }.freeze
    CLASSES = %w[IssueQuery TimeEntryQuery ProjectQuery].freeze
    # The filters whose values are numbers of these. Redmine offers only what projects use, and takes any text.
    MODELS = {
      'status_id' => 'IssueStatus', 'tracker_id' => 'Tracker', 'priority_id' => 'IssuePriority',
      'activity_id' => 'TimeEntryActivity', 'project_id' => 'Project', 'subproject_id' => 'Project',
      'member_of_group' => 'Group', 'assigned_to_role' => 'Role',
      **%w[author_id assigned_to_id watcher_id user_id updated_by last_updated_by].to_h { |field| [field, 'Principal'] }
    }.freeze
    PROJECTS = %w[id parent_id].freeze
    WORDS = %w[me mine bookmarks].freeze

    def initialize
      super('query', Query)
    end

    def records
      Query.where(visibility: [1, 2], type: CLASSES).order(:id).to_a
    end

    def key(record)
      { type: record.type.delete_suffix('Query').underscore, project: record.project&.identifier, name: record.name }
    end

    def row(record)
      {
        visibility: VISIBILITY[record.visibility], roles: record.roles.map(&:name).sort,
        filters: (record.filters || {}).to_h { |name, filter| shown_filter(record, name.to_s, filter.stringify_keys) },
        columns: (record.column_names || []).map { |name| shown_field(name.to_s) },
        # Not `sort_criteria`, which has the default order where there is none.
        sort: (record.read_attribute(:sort_criteria) || []).map { |name, order| [shown_field(name.to_s), order] },
        group_by: record.group_by.presence && shown_field(record.group_by),
        totals: record.totalable_names.map { |name| shown_field(name.to_s) }
      }
    end

    def custom_fields
      CustomField.all.to_h { |field| ["cf_#{field.id}", field] }
    end

    # `cf_7` is shown as the name of the custom field, in a list of one, so that it cannot be mixed up; `issue.cf_7` in a
    # list of two.
    def shown_field(name)
      owner, _, own = name.rpartition('.')
      field = custom_fields[own]
      field ? [field.name, *owner.presence] : name
    end

    # Custom fields of issues and of projects can share a name: the query has one of them.
    def stored_field(record, name, at)
      return name unless name.is_a?(Array)

      owner = name[1] && "#{name[1]}."
      fields = custom_fields.select { |_, one| one.name == name[0] }.keys.map { |field| "#{owner}#{field}" }
      known = record.available_filters.keys + record.available_columns.map { |column| column.name.to_s }
      (fields & known).first || (fields.first unless owner) || raise(Refused.new("custom field #{name[0].inspect} does not exist", at))
    end

    def shown_filter(record, field, filter)
      model = listed(record, field)
      values = Array(filter['values']).map { |value| shown_value(record, field, model, value) }
      custom, owner = shown_field(field)
      [shown_field(field).is_a?(Array) ? "#{owner && "#{owner}."}[#{custom}]" : field,
       { operator: filter['operator'], values: values - [''] }]
    end

    def shown_value(record, field, model, value)
      return value if value == '' || WORDS.include?(value)

      found = model&.find_by(id: value) if number?(value)
      return name_of(found) if found
      # A text in place of a number, which finds nothing: not shown as the name that it looks like.
      return "#{value} (a text, not a number)" if model && !number?(value)

      offered(record, field).rassoc(value)&.first || value
    end

    def stored_value(record, field, model, value, name)
      # A word such as `me`, or the number of something that is gone.
      return value if value == '' || WORDS.include?(value) || (number?(value) && (model || numbers?(record, field)))

      found = model ? by_name(model, value) : offered(record, field).assoc(value)&.last
      return (model ? found.id : found).to_s if found
      return value unless model || numbers?(record, field)

      project = Project.find_by(name: value) if model == Project
      raise Refused.new("#{name.delete_suffix('_id')}: there is no #{value.inspect}#{" (did you mean #{project.identifier.inspect}?)" if project}", 'filters')
    end

    def number?(value)
      value.to_s.match?(/\A\d+\z/)
    end

    # The objects that a filter has numbers of, or nil.
    def listed(record, field)
      return unless record.available_filters[field] && record.available_filters[field][:type].to_s.start_with?('list')

      own = field.rpartition('.').last
      custom = custom_fields[own]
      return (Principal if custom.field_format == 'user') if custom
      return Project if record.is_a?(ProjectQuery) && PROJECTS.include?(own)

      MODELS[own]&.constantize
    end

    def name_of(found)
      case found
      when User then found.login.presence || found.name
      when Project then found.identifier
      else found.name
      end
    end

    def by_name(model, name)
      return User.find_by_login(name) || Group.find_by(lastname: name) if model == Principal
      return Project.find_by(identifier: name) if model == Project

      model == TimeEntryActivity ? model.shared.find_by(name: name) : model.all.detect { |one| one.name == name }
    end

    # [[name, stored value]] that Redmine offers for a filter. What has no number (`me`, yes and no) has a name that is
    # translated.
    def offered(record, field)
      options = record.available_filters[field]
      values = options && options[:values]
      values = values.call if values.respond_to?(:call)
      pairs = Array(values).select { |value| value.is_a?(Array) }.map { |name, id| [name, id.to_s] }
      return [] if pairs.map(&:last).sort == %w[0 1]

      pairs.select { |_, id| number?(id) }
    end

    # Whether the values of a filter are the numbers of something that only Redmine can name.
    def numbers?(record, field)
      custom = custom_fields[field.rpartition('.').last]
      custom ? %w[version enumeration].include?(custom.field_format) : offered(record, field).any?
    end

    def build(item)
      key = item['key']
      record = "#{key['type'].camelize}Query".constantize.new(name: key['name'])
      record.filters = {}
      record.user = User.current
      record.project = key['project'] && Project.find_by!(identifier: key['project'])
      record
    end

    def assign(record, set)
      record.visibility = VISIBILITY.invert.fetch(set['visibility']) if set['visibility']
      record.roles = set['roles'].map { |name| Catalog.role(name, 'roles') } if set['roles']
      set_filters(record, set['filters']) if set['filters']
      record.column_names = set['columns'].map { |name| stored_field(record, name, 'columns') } if set['columns']
      record.group_by = stored_field(record, set['group_by'], 'group_by') if set.key?('group_by')
      record.totalable_names = set['totals'].map { |name| stored_field(record, name, 'totals') } if set['totals']
      record.sort_criteria = set['sort'].map { |name, order| [stored_field(record, name, 'sort'), order] } if set['sort']
    end

    def set_filters(record, filters)
      record.filters = {}
      filters.each do |name, filter|
        custom = name.match(/\A(?:(\w+)\.)?\[(.*)\]\z/m)
        field = custom ? stored_field(record, [custom[2], *custom[1]], 'filters') : name
        raise Refused.new(no_filter(name, field), 'filters') unless record.available_filters.key?(field)

        model = listed(record, field)
        values = Array(filter['values']).map { |value| stored_value(record, field, model, value.to_s, name) }
        record.add_filter(field, filter['operator'], values.presence || [''])
      end
    end

    def no_filter(name, field)
      custom = custom_fields[field.rpartition('.').last]
      return "#{name.delete_suffix('_id')}: no such filter" unless custom && !custom.is_filter?

      "custom field #{custom.name.inspect} is no filter; declare is_filter: true"
    end

    def finish(record, set); end

    def uses(record)
      projects = Project.where(default_issue_query_id: record.id).count
      { ['project whose default it is', 'projects whose default it is'] => projects }
    end
  end

  class AuthSources < Kind
    def initialize
      super('auth_source', AuthSourceLdap, 'host', 'port', 'account', 'base_dn', 'attr_login', 'attr_firstname',
            'attr_lastname', 'attr_mail', 'onthefly_register', 'tls', 'verify_peer', 'filter', 'timeout')
    end

    def records
      AuthSourceLdap.all.sort_by(&:id)
    end

    def row(record)
      plain(record)
    end

    # Write-only: the program never shows it.
    def set_account_password(record, value)
      record.account_password = value
    end

    def finish(record, set); end

    def uses(record)
      { 'user' => User.where(auth_source_id: record.id).count }
    end
  end

  # Objects that the API writes, but for some fields, which are all that is shown and set here. Those that have nothing in
  # these fields are not shown.
  class Inside < Kind
    Held = Struct.new(:object, :id) do
      include Standing
    end

    def initialize(name, model)
      super(name, model)
    end

    # In the given projects; nil means all.
    def rows(projects = nil)
      @projects = projects
      super()
    end

    def records
      shown(@projects).sort_by(&:id).map { |object| held(object) }
    end

    def held(object)
      Held.new(object, object && number(object))
    end

    def key(held)
      { project: held.object.project.identifier, name: held.object.title }
    end

    def find(item)
      object = located(item)
      object && held(object)
    end

    def build(_item)
      raise Refused, 'it does not exist yet: apply the manifests first'
    end

    def rename(_held, _key); end

    def twin(_held); end

    def finish(_held, _set); end

    def destroy(_held)
      raise Refused, 'the API deletes it'
    end

    def project(item)
      Project.find_by(identifier: item['key']['project'])
    end

    def in_projects(identifiers)
      Project.where(identifier: identifiers).select(:id)
    end
  end

  # Who watches an object. The rules for new ones are those of Redmine's own form and API.
  class Watched < Inside
    # 5.0 takes watchers who may not see the object.
    SIGHTED = ([Redmine::VERSION::MAJOR, Redmine::VERSION::MINOR] <=> [5, 1]) >= 0

    def shown(_projects)
      @model.where(id: Watcher.where(watchable_type: @model.name).select(:watchable_id)).preload(watchers: :user)
    end

    def row(held)
      { watchers: watchers(held.object).map { |person| told(person) } }
    end

    # Redmine leaves watchers behind whose account is gone.
    def watchers(object)
      object.watchers.map(&:user).compact.sort_by(&:id)
    end

    def told(person)
      case person
      when Group then { id: person.id, group: person.lastname }
      when User then { id: person.id, user: person.login }
      else { id: person.id, name: person.to_s }
      end
    end

    def set_watchers(held, wanted)
      object = held.object
      people = wanted.map { |one| person(one) }.uniq
      live = watchers(object)
      gone = (live - people).map(&:id)
      Watcher.where(watchable_type: @model.name, watchable_id: object.id, user_id: gone).delete_all
      (people - live).each { |one| add(object, one) }
      object.watchers.reset
    end

    # By number, as a name can be another one by now.
    def person(one)
      model = one.key?('group') ? Group.givable : User
      name = one['group'] || one['user']
      found = one['id'] ? model.find_by(id: one['id']) : by_name(model, name)
      found || raise(Refused.new("#{one.key?('group') ? 'group' : 'user'} #{name.inspect} does not exist", 'watchers'))
    end

    def by_name(model, name)
      model <= User ? User.find_by_login(name) : model.named(name).first
    end

    def add(object, person)
      name = person.is_a?(User) ? person.login : person.lastname
      unless Principal.assignable_watchers.where(id: person.id).exists?
        raise Refused.new("#{name} is not active, and Redmine takes only active users as watchers", 'watchers')
      end
      if SIGHTED && !object.valid_watcher?(person)
        raise Refused.new("#{name} may not see it, and Redmine takes no such watchers", 'watchers')
      end

      Watcher.create!(watchable: object, user: person)
    end

    def unkept(held, set)
      kept = watchers(held.object)
      wanted = set.key?('watchers') ? set['watchers'].map { |one| person(one) }.uniq.sort_by(&:id) : kept
      wanted == kept ? [] : [['watchers', kept.map(&:to_s)]]
    end
  end

  class WikiPages < Watched
    def initialize
      super('wiki_page', WikiPage)
    end

    def shown(projects)
      wikis = Wiki.where(project_id: in_projects(projects)).select(:id)
      pages = super.preload(wiki: :project)
      projects ? pages.where(wiki_id: wikis) : pages
    end

    # A page is called by its project and title, as in the API.
    def number(page)
      "#{page.project.identifier}/#{page.title}"
    end

    # Not `find_page`: the title that a page had before leads to it.
    def located(item)
      wiki = project(item)&.wiki
      title = item['id'] ? item['id'].split('/', 2).last : item['key']['name']
      wiki && (wiki.pages.find_by(title: title) || wiki.pages.find_by('LOWER(title) = LOWER(?)', title))
    end
  end

  class NewsItems < Watched
    def initialize
      super('news', News)
    end

    def shown(projects)
      items = super.preload(:project)
      projects ? items.where(project_id: in_projects(projects)) : items
    end

    def number(news)
      news.id
    end

    def located(item)
      project = project(item)
      return nil unless project
      return project.news.find_by(id: item['id']) if item['id']

      found = project.news.where(title: item['key']['name']).to_a
      raise Refused, "there are #{found.size} of this title" if found.size > 1

      found.first
    end
  end

  def self.kinds
    @kinds ||= [
      Statuses.new, Enumerations.new('issue_priority', IssuePriority),
      Enumerations.new('time_entry_activity', TimeEntryActivity),
      Enumerations.new('document_category', DocumentCategory), Roles.new, Trackers.new, CustomFields.new, Workflows.new,
      Settings.new, AuthSources.new, ProjectActivities.new, Queries.new, Orders.new,
      WikiPages.new, NewsItems.new
    ].index_by(&:name)
  end

  # -- one request ----------------------------------------------------------------------------------------------------

  # Names of what no answer has, neither as a value nor in a message.
  SECRETS = %w[account_password mail_handler_api_key sys_api_key].freeze

  def self.masked(text, secrets)
    secrets.inject(text.to_s.dup.force_encoding('UTF-8').scrub) { |said, secret| said.gsub(secret, '***') }
  end

  def self.told(error, secrets)
    kind = error.is_a?(Refused) ? '' : "#{error.class}: "
    masked("#{kind}#{error.message}", secrets)[0, 500]
  end

  def self.now
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end

  class Run
    STARTED = Catalog.now
    # A script is a write that an administrator starts by hand; its items say what must be, whatever is there.
    OPS = %w[read check write script].freeze
    WRITES = %w[write script].freeze
    ACTS = %w[create update delete ensure].freeze
    # After these there is no transaction any more, as far as the database is concerned.
    WHOLE = [ActiveRecord::Deadlocked, ActiveRecord::LockWaitTimeout, ActiveRecord::ConnectionNotEstablished,
             ActiveRecord::QueryCanceled, ActiveRecord::SerializationFailure].freeze

    def initialize(request)
      @request = request
      @failed = {}
      @secrets = []
    end

    def answer
      prepare
      shared = { protocol: PROTOCOL, redmine: Redmine::VERSION::STRING }
      elsewhere = other
      return { **shared, error: "it leads to another Redmine than `url`: #{elsewhere}" } if elsewhere

      @request['op'] == 'read' ? { **shared, site: site, **read } : { **shared, site: site, **written }
    end

    # Rolled back: Redmine creates what it misses, such as its anonymous user, when it is asked for it.
    def read
      found = nil
      ActiveRecord::Base.transaction do
        found = { instance: instance, state: state(@request['kinds'] || Catalog.kinds.keys) }
        raise ActiveRecord::Rollback
      end
      found
    end

    def prepare
      understood!
      I18n.locale = :en
      ActionMailer::Base.perform_deliveries = false
      ActiveJob::Base.queue_adapter = NoJobsAdapter.new
      @secrets = secrets
      User.current = User.active.where(admin: true).order(:id).first || raise('there is no active administrator')
      Setting.clear_cache
    end

    def understood!
      items = @request['items'] || []
      raise Refused, "protocol #{@request['protocol']} is not #{PROTOCOL}" unless @request['protocol'] == PROTOCOL
      raise Refused, "no such operation: #{@request['op']}" unless OPS.include?(@request['op'])

      unknown = [*@request['kinds'], *items.map { |item| item['kind'] }] - Catalog.kinds.keys
      raise Refused, "no such kind: #{unknown.uniq.join(', ')}" if unknown.any?

      acts = items.map { |item| item['op'] } - ACTS
      raise Refused, "no such act: #{acts.uniq.join(', ')}" if acts.any?
    end

    # Of the request and of the database; short ones are in every second word.
    def secrets
      sets = (@request['items'] || []).map { |item| item['set'] || {} }
      known = AuthSource.all.map(&:account_password) + SECRETS.drop(1).map { |name| Setting[name] }
      [*sets.flat_map { |set| set.values_at(*SECRETS) }, *known].map(&:to_s).uniq.select { |secret| secret.size > 3 }
    end

    # Numbers and names that REST shows too: it must be the same Redmine.
    def instance
      { tracker: Tracker, issue_status: IssueStatus, role: Role.where(builtin: 0) }.transform_values do |records|
        records.reorder(:id).pluck(:id, :name)
      end
    end

    def other
      return 'it is not the one of the last call' if @request['site'] && @request['site'] != site

      token = @request['token']
      known = token.nil? || Token.where(action: 'api').pluck(:value).any? do |value|
        Digest::SHA256.hexdigest(@request['salt'] + value) == token
      end
      known ? nil : 'it does not know the API key'
    end

    # What tells this database from others, and does not change while people work with it.
    def site
      first = User.order(:id).limit(1).pluck(:id, :created_on)
      parts = [Rails.application.secret_key_base, Rails.root, ActiveRecord::Base.connection_db_config.database, first]
      Digest::SHA256.hexdigest(parts.inspect)
    end

    def state(kinds)
      kinds.map { |name| [name, rows(Catalog.kinds.fetch(name))] }.to_h
    end

    # Of what is in projects, only there: a Redmine can have a hundred thousand pages.
    def rows(kind)
      return kind.rows unless kind.is_a?(Inside)

      items = @request['items'] || []
      kind.clone.rows(@request['projects'] || (items.any? ? items.map { |item| item['key']['project'] }.compact.uniq : nil))
    end

    def written
      outcome = committed
      return { error: outcome } if outcome.is_a?(String)

      Setting.clear_cache
      kinds = @request['items'].map { |item| item['kind'] }.uniq
      # Rows of a check are those that it would have left as they are.
      { **outcome, instance: instance, state: state(kinds) }
    rescue StandardError => e
      # Something was written, or may be: only another read can tell.
      { unsure: Catalog.told(e, @secrets) }
    end

    # What became of the items; a sentence if nothing was written.
    def committed
      results = []
      done = false
      ActiveRecord::Base.transaction do
        results = @request['items'].map { |item| one(item) }
        raise ActiveRecord::Rollback unless WRITES.include?(@request['op'])

        in_time!
        done = true
      end
      { items: results, committed: done }
    rescue StandardError => e
      # After `done`, it is the commit that failed, or what a plugin does after it.
      raise if done

      Catalog.told(e, @secrets)
    end

    # Whoever asked does not wait any more after this time, or is gone: a write must not happen behind their back.
    def in_time!
      limit = @request['within']
      raise Refused, "it took more than #{limit} seconds" if limit && Catalog.now - STARTED > limit

      STDOUT.puts
      STDOUT.flush
    end

    def one(item)
      missing = (item['needs'] || []).find { |number| @failed.key?(number) }
      return skipped(item, missing) if missing

      id, notes, word = saved(item)
      { n: item['n'], ok: true, id: id, notes: notes, word: word }
    rescue *WHOLE
      # The database has ended the transaction: there is nothing to go on with.
      raise
    rescue Refused => e
      failed(item, [{ field: e.field, message: Catalog.masked(e.message, @secrets) }])
    rescue ActiveRecord::RecordInvalid => e
      failed(item, errors(e.record))
    rescue StandardError => e
      failed(item, [{ field: '', message: Catalog.told(e, @secrets) }])
    end

    def skipped(item, missing)
      @failed[item['n']] = true
      { n: item['n'], ok: false, skipped_for: missing, errors: [] }
    end

    def failed(item, errors)
      @failed[item['n']] = true
      # It has what was rolled back.
      Setting.clear_cache
      { n: item['n'], ok: false, errors: errors }
    end

    def errors(record)
      record.errors.map do |error|
        field = error.attribute.to_s.delete_suffix('_id').sub(/\Abase\z/, '')
        { field: field, message: Catalog.masked(error.full_message, @secrets) }
      end
    end

    def saved(item)
      # A copy: what a kind notes while it writes one item is nothing to the next.
      kind = Catalog.kinds.fetch(item['kind']).clone
      ActiveRecord::Base.transaction(requires_new: true) do
        record = kind.find(item)
        item['op'] == 'delete' ? deleted(kind, record) : stored(kind, record, item)
      end
    end

    def deleted(kind, record)
      notes = record ? kind.destroy(record) : []
      [record&.id, notes, record ? 'deleted' : 'unchanged']
    end

    def stored(kind, record, item)
      raise Refused, 'it is gone meanwhile' if record.nil? && item['op'] == 'update'
      raise Refused, 'it exists meanwhile' if record && item['op'] == 'create'

      set = item['set'] || {}
      renamed = record && kind.key(record) != item['key'].symbolize_keys
      named = record.nil? || renamed
      # For a script only: what a kind has read is not asked for again.
      before = record && item['op'] == 'ensure' ? kind.clone.row(record) : nil
      record ||= kind.build(item)
      notes = kind.effects(record, set.merge('__renamed' => renamed))
      kind.rename(record, item['key'])
      alone!(kind, record) if named
      kind.assign(record, set)
      record.save!
      kind.finish(record, set)
      kept!(kind, record, set)
      [record.id, notes, item['op'] == 'ensure' ? word(kind, record, before, renamed) : nil]
    end

    def word(kind, record, before, renamed)
      return 'created' unless before

      before == kind.clone.row(record) && !renamed ? 'unchanged' : 'changed'
    end

    def alone!(kind, record)
      other = kind.twin(record)
      raise Refused, "there is #{kind.key(other).values.compact.join(' / ').inspect} already" if other
    end

    # Redmine ignores and corrects values without an error.
    def kept!(kind, record, set)
      field, value = kind.unkept(record, set).first
      raise Refused.new("Redmine does not take it, and keeps #{value.inspect}", field) if field
    end
  end

  # JSON needs valid UTF-8, which old databases may not have.
  def self.clean(data)
    case data
    when Hash then data.map { |key, value| [clean(key), clean(value)] }.to_h
    when Array then data.map { |value| clean(value) }
    when String, Symbol then data.to_s.dup.force_encoding('UTF-8').scrub
    when Float then data.finite? ? data : nil
    else data
    end
  end

  # What an administrator reads who has run the program by hand.
  def self.report(request, answer)
    return "Nothing was written: #{answer[:error]}." if answer[:error]
    return "It is not known what was written: #{answer[:unsure]}." if answer[:unsure]

    told = request['items'].zip(answer[:items])
    lines = told.flat_map { |item, one| lines(item, one, request['items']) }
    failed = answer[:items].count { |one| !one[:ok] }
    words = answer[:items].map { |one| one[:word] }.compact
    counts = words.uniq.map { |word| "#{words.count(word)} #{word}" }
    [*lines, [*counts, *("#{failed} failed" if failed.positive?)].join(', ') + '.'].join("\n")
  end

  def self.lines(item, one, items)
    name = "#{item['kind'].tr('_', ' ')} #{item['key'].values.compact.join(' / ')}"
    blocker = one[:skipped_for] && items[one[:skipped_for]]
    return ["! #{name}: skipped, because #{blocker['kind'].tr('_', ' ')} #{blocker['key'].values.compact.join(' / ')} failed"] if blocker
    return one[:errors].map { |error| ["! #{name}", error[:field].presence, error[:message]].compact.join(': ') } unless one[:ok]

    [*("#{one[:word]}: #{name}" unless one[:word] == 'unchanged'), *one[:notes].map { |note| "  #{note}" }]
  end

  def self.main(encoded)
    # Strict: a request that was damaged on its way must not be carried out.
    request = JSON.parse(Base64.strict_decode64(encoded.delete("\r\n")).force_encoding('UTF-8'))
    answer =
      begin
        Run.new(request).answer
      rescue StandardError => e
        { protocol: PROTOCOL, error: told(e, []) }
      end
    if request['op'] == 'script'
      STDOUT.puts(report(request, clean(answer).deep_symbolize_keys))
      return
    end
    # A line of its own, whatever was printed before without an end of line; its last character shows that it is whole.
    STDOUT.puts("\n#{request['nonce']}#{Base64.strict_encode64(JSON.generate(clean(answer)))}.")
    STDOUT.flush
  end
end

Catalog.main(CATALOG_REQUEST)
