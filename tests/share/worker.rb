# SPDX-License-Identifier: BSD-2-Clause
# Loads data, and for each line of standard input renews half of it for so many seconds, collects and compacts garbage, and
# compares all of it with what it should be; says how much was wrong.
N = 60_000
RECORDS = []
VERSION = Array.new(N, 0)

def fill(i)
  RECORDS[i] = { id: i, name: "record #{i} of #{VERSION[i]}", value: i * 1.5 + VERSION[i], tags: [i % 7, VERSION[i]] }
end

def wrong
  count = 0
  N.times do |i|
    r = RECORDS[i]
    v = VERSION[i]
    count += 1 if r[:id] != i || r[:name] != "record #{i} of #{v}" || r[:value] != i * 1.5 + v || r[:tags] != [i % 7, v]
  end
  count
end

def renew
  (0...N).step(2) do |i|
    VERSION[i] += 1
    fill(i)
  end
  GC.start
  # Goes through memory that it has made unreadable, where that is to be had.
  GC.compact if GC.respond_to?(:compact)
end

N.times { |i| fill(i) }
GC.start
puts 'ready'
$stdout.flush
while (line = gets)
  finish = Time.now + line.split[1].to_f
  count = wrong
  while Time.now < finish
    renew
    count += wrong
  end
  puts count
  $stdout.flush
end
