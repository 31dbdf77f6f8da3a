# SPDX-License-Identifier: BSD-2-Clause
# differing.pl [ARGUMENT...]: a worker that loads the same as its siblings; they differ in arguments and environment.
use strict;
use warnings;
use Data::Dumper;
use File::Spec;
use Getopt::Long;
use JSON::PP;
use POSIX;
use Storable;

my @kept = map { { id => $_, name => "user$_" } } 1 .. 100000;
$| = 1;
print "ready\n";
<STDIN>;
