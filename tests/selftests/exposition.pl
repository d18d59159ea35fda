#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-only
#
# Reads metrics in the text format of Prometheus, version 0.0.4, and takes nothing
# that the format, or the conventions for names, don't allow:
#
#	exposition.pl FILE			prints all samples, labels sorted
#	exposition.pl FILE NAME [LABEL=VALUE]...	prints the values of those that match
#
# VALUE is as it was before it was escaped. Exits with 1 at the first fault, and if
# nothing matches.

use strict;
use warnings;
use Encode qw(decode FB_CROAK);

my ($file, $want_name, @want_labels) = @ARGV;
open(my $in, '<:raw', $file) or die "$file: $!\n";
my $text = do { local $/; <$in> };
my ($n, $family, $type, $sampled, %seen, %series, @samples) = (0, '', '', 0);

sub fault {
	print STDERR "$file:$n: $_[0]\n";
	exit 1;
}

eval { decode('UTF-8', my $copy = $text, FB_CROAK); 1 } or fault('not UTF-8');
fault('the last line has no end') unless $text =~ /\n\z/;
fault('a carriage return') if $text =~ /\r/;

sub head {
	my ($kind, $name, $rest) = @_;

	fault("'$name' is no name of a metric") unless $name =~ /^[a-z][a-z0-9_]*$/;
	if ($kind eq 'HELP') {
		fault("the family $name is there twice") if $seen{$name}++;
		fault("family $family has no type") if $family ne '' && $type eq '';
		fault('the help has a backslash that escapes nothing') if $rest =~ /^(?:[^\\]|\\[\\n])*\\(?![\\n])/;
		($family, $type, $sampled) = ($name, '', 0);
		return;
	}
	fault("the type of $name is not behind its help") if $name ne $family || $type ne '' || $sampled;
	fault("type '$rest'") unless $rest =~ /^(?:counter|gauge)$/;
	$type = $rest;
	fault("counter $name doesn't end with _total") if $type eq 'counter' && $name !~ /_total$/;
	fault("gauge $name ends with _total") if $type eq 'gauge' && $name =~ /_total$/;
	fault("$name isn't in base units") if $name =~ /_(?:milliseconds|minutes|hours|kilobytes|sectors)(?:_|$)/;
}

sub labels {
	my ($rest) = @_;
	my %labels;

	for (;;) {
		$$rest =~ s/^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^\\"\n]|\\[\\"n])*)"// or fault("a label at '$$rest'");
		my ($name, $value) = ($1, $2);
		fault("label $name is reserved") if $name =~ /^__/;
		fault("label $name is there twice") if exists $labels{$name};
		$value =~ s/\\(.)/$1 eq 'n' ? "\n" : $1/ge;
		$labels{$name} = $value;
		last unless $$rest =~ s/^,//;
	}
	$$rest =~ s/^\}// or fault("the labels don't end at '$$rest'");
	return %labels;
}

sub sample {
	my ($line) = @_;
	my ($name, %labels);

	$line =~ s/^([a-zA-Z_:][a-zA-Z0-9_:]*)// or fault('neither a comment nor a sample');
	$name = $1;
	fault("$name is not of family $family, or has no type") if $name ne $family || $type eq '';
	$sampled = 1;
	%labels = labels(\$line) if $line =~ s/^\{//;
	$line =~ /^ ([0-9]+(?:\.[0-9]+)?)$/ or fault("'$line' is no value");
	my $key = join(',', map { "$_=$labels{$_}" } sort keys %labels);
	fault("$name\{$key\} is there twice") if $series{"$name\0$key"}++;
	push @samples, { name => $name, labels => \%labels, key => $key, value => $1 };
}

for my $line (split /\n/, $text) {
	$n++;
	if ($line =~ /^# (HELP|TYPE) (\S+) (.+)$/) {
		head($1, $2, $3);
	} elsif ($line =~ /^#|^\s*$/) {
		fault('a line that is nothing');
	} else {
		sample($line);
	}
}
fault('nothing in it') unless @samples;

if (!defined $want_name) {
	print "$_->{name}\{$_->{key}\} $_->{value}\n" for @samples;
	exit 0;
}
my $found = 0;
SAMPLE: for my $s (@samples) {
	next if $s->{name} ne $want_name;
	for (@want_labels) {
		my ($label, $value) = /^([^=]*)=(.*)$/s;
		next SAMPLE if !defined $s->{labels}{$label} || $s->{labels}{$label} ne $value;
	}
	print "$s->{value}\n";
	$found = 1;
}
exit !$found;
