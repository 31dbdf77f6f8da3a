# SPDX-License-Identifier: BSD-2-Clause
# fork-diverges.rb plain|perturb|single: as fork-diverges.py.

def load_all
  require 'json'
  require 'set'
  require 'net/http'
  (0...60000).map { |number| { id: number, name: "user#{number}", tags: [number, 'x'] } }
end

def wait(kept)
  puts 'ready'
  $stdout.flush
  $stdin.gets
  kept
end

if ARGV[0] == 'single'
  wait(load_all)
  exit!(0)
end
kept = []
children = (0...2).map do |number|
  kept << "worker-#{number}-#{'x' * (50 * number)}" if ARGV[0] == 'perturb'
  fork do
    wait(load_all)
    exit!(0)
  end
end
children.each { |child| Process.wait(child) }
