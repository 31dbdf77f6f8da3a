# SPDX-License-Identifier: BSD-2-Clause
# ruby-objects.rb [TEXT]: evaluates TEXT, then forks two children one after the other, with objects and garbage in between.
# Each loads libraries while a thread of its own begins, builds a table and writes a number that depends on the addresses of its
# objects.
require 'objspace'

def address(object)
  ObjectSpace.dump(object)[/0x\h+/].hex
end

def table
  (0...20000).map { |number| { id: number, name: "user#{number}", tags: [number, 'x'] } }
end

# A thread of the child's that allocates when it comes to it, in one child more than in the other, as servers have one: before the last of the anchors at which a child's
# objects go on elsewhere. How late a thread comes on a busy machine is the kernel's affair, and what it allocates in
# the middle of the table lies in between.
def work(turn)
  thread = Thread.new { (0..3 * turn).map { |number| "thread #{number}" } }
  require 'json/version'
  thread.join
  require 'json'
  require 'set'
  rows = table
  numbers = rows.each_slice(50).flat_map { |part| [address(part[0]), address(part[0][:name]), address(part[0][:tags])] }
  numbers.each_with_index.sum { |number, index| number * (index + 1) }
end

eval(ARGV[0]) if ARGV[0]
kept = []
2.times do |turn|
  kept << "kept #{turn}" << ['x' * (100 * turn)]
  turn.times { 'x' * 15_500_000 }
  Process.wait(fork { puts work(turn) })
end
