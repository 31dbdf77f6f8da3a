# SPDX-License-Identifier: BSD-2-Clause
# perl-objects.pl KIND BYTES: makes 40000 records in a loop of this kind, after a tenth of them one string more of so
# many bytes (00000: none), and writes where the head and the body of each record lie.
use strict;
use warnings;
use constant COUNT => 40000;
my ($kind, $bytes) = ($ARGV[0], $ARGV[1] + 0);
my (@kept, @extra);

sub add {
	my ($number) = @_;
	push @extra, "x" x $bytes if $number == COUNT / 10 && $bytes;
	push @kept, { id => $number, name => "user$number", tags => [$number] };
}
sub deep {
	my ($from, $to) = @_;
	return add($from) if $from == $to;
	my $middle = int(($from + $to) / 2);
	deep($from, $middle);
	deep($middle + 1, $to);
}
my %kinds = (
	range => sub { for my $number (1 .. COUNT) { add($number) } },
	array => sub { my @numbers = (1 .. COUNT); for (@numbers) { add($_) } },
	list => sub { for my $number (reverse 1 .. COUNT) { add($number) } },
	count => sub { for (my $i = 1; $i <= COUNT; $i++) { add($i) } },
	while => sub { my $i = 0; while ($i < COUNT) { $i++; add($i) } },
	lines => sub { open my $file, '<', $ARGV[2] or die; while (my $line = <$file>) { add($.) } },
	hash => sub { my %of = map { $_ => 1 } 1 .. COUNT; while (my ($key) = each %of) { add($key) } },
	recursion => sub { deep(1, COUNT) },
	map => sub { my @x = map { add($_) if $_; 1 } 1 .. COUNT; },
	eval => sub { for my $number (1 .. COUNT) { eval { add($number); die [$number] if $number % 3 == 0 } } },
);
$kinds{$kind}->();
printf "%x %x\n", $_ + 0, unpack('J', unpack('P8', pack('J', $_ + 0))) for @kept;
