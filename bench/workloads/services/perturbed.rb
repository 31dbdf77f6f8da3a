# SPDX-License-Identifier: BSD-2-Clause
# perturbed.rb STEP BYTES: as perturbed.py.
step = ARGV[0].to_i
size = ARGV[1].to_i - 10000
kept = []
extra = nil
(10000...11000).each do |number|
  extra = 'x' * size if number == step
  kept << (1..60).map do |row|
    id = number * 100 + row
    { id: id, name: "user#{id}", tags: [row, number] }
  end
end
puts 'ready'
$stdout.flush
$stdin.gets
