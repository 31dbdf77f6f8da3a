# SPDX-License-Identifier: BSD-2-Clause
# Ksmalloc.label('load model') { ... }: its result; what this thread allocates in it belongs to that site. Without the library
# it is the block alone.
require 'fiddle'

module Ksmalloc
  begin
    BEGIN_ = Fiddle::Function.new(Fiddle::Handle::DEFAULT['ksmalloc_label_begin'], [Fiddle::TYPE_VOIDP], Fiddle::TYPE_INT)
    END_ = Fiddle::Function.new(Fiddle::Handle::DEFAULT['ksmalloc_label_end'], [], Fiddle::TYPE_VOID)
  rescue Fiddle::DLError
    BEGIN_ = END_ = nil
  end

  def self.label(name)
    begun = BEGIN_ && [0, -7].include?(BEGIN_.call(name)) # -E2BIG is to be ended, too
    yield
  ensure
    END_.call if begun
  end
end
