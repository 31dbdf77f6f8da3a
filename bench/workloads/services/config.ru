# SPDX-License-Identifier: BSD-2-Clause
# A Rack application with 50,000 records from JSON.
require 'json'
require 'set'
require 'time'
require 'erb'
require 'net/http'
require 'optparse'
require 'digest'
require 'logger'

RECORDS = JSON.parse(File.read(File.join(ENV.fetch('SERVICE_DATA'), 'records.json')))

run(lambda do |environment|
  number = environment['QUERY_STRING'].to_s[/n=(\d+)/, 1].to_i
  part = (0...200).map { |step| RECORDS[(number * 7919 + step) % RECORDS.size] }
  body = JSON.generate('pid' => Process.pid, 'loaded' => RECORDS.size, 'length' => JSON.generate(part).size)
  [200, { 'Content-Type' => 'application/json', 'Content-Length' => body.bytesize.to_s }, [body]]
end)
