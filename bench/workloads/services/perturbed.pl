# SPDX-License-Identifier: BSD-2-Clause
# perturbed.pl STEP BYTES: as perturbed.py.
use strict;
use warnings;
$| = 1;
my ($step, $size) = ($ARGV[0] + 0, $ARGV[1] - 10000);
my (@kept, $extra);
for my $number (10000 .. 10999) {
	$extra = "x" x $size if $number == $step;
	push @kept, [map { my $id = $number * 100 + $_;
		+{ id => $id, name => "user$id", tags => [$_, $number] } } 1 .. 60];
}
print "ready\n";
<STDIN>;
