#!/usr/bin/perl -w
# SPDX-License-Identifier: GPL-2.0-only
#
# Where a module calls KCOV: reads "objdump -dr --no-show-raw-insn -j .text MODULE", and
# prints the address behind each call, which is what KCOV reports.
#
# User Mode Linux calls by way of a register that the address was loaded into before, or
# of a place on the stack. They are followed from one instruction to the next as they
# stand, which is right as long as the compiler keeps to one place within a function.

use strict;

my $wanted = '__sanitizer_cov_trace_pc';
my %holds;	# registers and places on the stack that have its address
my ($address, $text, $symbol);
my $pending;	# a call whose next instruction isn't known yet

# Parts of a register by the name of the whole.
sub whole {
	my $name = shift;

	$name =~ s/^%//;
	return "r$1" if $name =~ /^r(\d+)[bwd]?$/;
	return $1 if $name =~ /^[re]?([abcd])[xlh]$/;
	return $1 if $name =~ /^[re]?(si|di|bp|sp)l?$/;
	return $name;
}

sub instruction {
	my ($at, $line, $reloc) = @_;
	my ($op, $args) = $line =~ /^(\S+)\s*(.*)$/ or return;
	my ($from, $to);

	$args =~ s/\s*[#<].*//;
	if ($op =~ /^call/) {
		if ($args =~ /^\*(%\w+)$/) {
			$pending = 1 if $holds{whole($1)};
		} elsif ($args =~ /^\*(-?0x[0-9a-f]+\(%r[bs]p\))$/) {
			$pending = 1 if $holds{$1};
		} elsif ($args !~ /^\*/ && $reloc eq $wanted) {
			$pending = 1;
		}
		# What a function may change.
		delete @holds{qw(a c d si di r8 r9 r10 r11)};
		return;
	}
	return if $op =~ /^(cmp|test|j|push|nop|ret|ud2|bt$|btl$)/;
	if ($args =~ /^(.*),(%\w+|-?0x[0-9a-f]+\(%r[bs]p\))$/) {
		($from, $to) = ($1, $2);
		$to = whole($to) if $to =~ /^%/;
		if ($op eq 'movabs' && $reloc eq $wanted) {
			$holds{$to} = 1;
		} elsif ($op =~ /^mov/ && $from =~ /^%/ && $holds{whole($from)}) {
			$holds{$to} = 1;
		} elsif ($op =~ /^mov/ && $holds{$from}) {
			$holds{$to} = 1;
		} else {
			delete $holds{$to};
		}
	} elsif ($args =~ /^(%\w+)$/) {
		delete $holds{whole($1)} unless $op =~ /^pop/;
	}
}

sub flush {
	instruction($address, $text, $symbol) if defined $address;
	undef $address;
}

while (<>) {
	if (/^[0-9a-f]+ <.*>:$/) {
		flush();
		%holds = ();
	} elsif (/^\s*([0-9a-f]+):\t([a-z].*\S)\s*$/) {
		my ($at, $line) = ($1, $2);

		flush();
		print "$at\n" if $pending;
		$pending = 0;
		($address, $text, $symbol) = ($at, $line, '');
	} elsif (/R_X86_64_\S+\s+(\w+)/) {
		$symbol = $1;
	}
}
