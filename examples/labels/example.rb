# SPDX-License-Identifier: BSD-2-Clause
require_relative 'ksmalloc_label'

model = Ksmalloc.label('load model') { (0...16).map { |number| number.chr * 200_000 } }
pages = buffers = nil
Ksmalloc.label('warm up') do
  pages = Ksmalloc.label('page cache') { (0...16).map { |number| number.chr * 100_000 } }
  begin
    Ksmalloc.label('never') { raise KeyError }
  rescue KeyError
    buffers = (0...32).map { |number| number.chr * 50_000 }
  end
end
puts "done #{model.size + pages.size + buffers.size}"
$stdout.flush
gets
