# SPDX-License-Identifier: BSD-2-Clause
# differing.rb [ARGUMENT...]: a worker that loads the same as its siblings; they differ in arguments and environment.
require 'json'
require 'logger'
require 'optparse'
require 'set'
require 'time'
kept = (0...100_000).map { |number| { id: number, name: "user#{number}" } }
puts 'ready'
$stdout.flush
$stdin.gets
