# Runs Ruby programs inside this Redmine: Rails is loaded once, and each program gets a fork of this process.
#
# Given to `rails runner` with the path of a socket. A caller sends its standard input, output and error as file
# descriptors, then its environment as a line of JSON; it gets a line with the exit code, or the negative number of a
# signal. Whoever hangs up ends its program. Without a caller for some minutes, the process ends.

require 'json'
require 'socket'

path = ARGV.fetch(0)
idle = 600 # seconds
running = {} # process group of a program => true
lock = Mutex.new
# At once, not at the end of a program: its caller would take the end of the output for its answer.
trap(:TERM) { running.each_key { |group| Process.kill(:KILL, -group) rescue nil } && exit!(0) }

# The address is taken by a rename, so that who finds it can connect.
fresh = "#{path}.#{Process.pid}"
File.umask(0o077)
server = UNIXServer.new(fresh)
File.rename(fresh, path)
File.umask(0o022)

# What nearly every program would do first, each of them anew: reading the texts and the columns of the tables takes as
# long as all the rest of a short program (5.0, 6.1).
I18n.t(:label_issue)
ActiveRecord::Base.descendants.each { |model| model.define_attribute_methods if !model.abstract_class? && model.table_exists? }

begin_program = lambda do |files, given|
  fork do
    Process.setsid
    trap(:TERM, 'DEFAULT')
    server.close
    [$stdin, $stdout, $stderr].zip(files) { |stream, file| stream.reopen(file) }
    files.each(&:close)
    $stdout.sync = $stderr.sync = true
    ENV.update(given)
    Setting.clear_cache
    # As `rails runner -` does it.
    eval($stdin.read, TOPLEVEL_BINDING, 'stdin')
  end
end

serve = lambda do |caller|
  files = Array.new(3) { caller.recv_io(IO) }
  given = JSON.parse(caller.gets)
  group = lock.synchronize { begin_program.call(files, given).tap { |number| running[number] = true } }
  files.each(&:close)
  watch = Thread.new { caller.read(1) || (Process.kill(:KILL, -group) rescue nil) }
  status = Process.wait2(group)[1]
  watch.kill
  running.delete(group)
  caller.puts(status.exitstatus || -status.termsig)
rescue SystemCallError, IOError, JSON::ParserError, NoMethodError, SocketError
  nil # It has hung up.
ensure
  caller.close
end

loop do
  # Not inherited by a fork: two processes on one connection spoil it.
  ActiveRecord::Base.connection_handler.clear_all_connections!
  if server.wait_readable(idle)
    caller = server.accept
    Thread.new { serve.call(caller) }
  elsif running.empty?
    File.delete(path)
    exit!(0)
  end
end
