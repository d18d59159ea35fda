/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest in a boot sector, which writes and reads its disk through the BIOS for
 * ever, and says on port 0xe9 (QEMU's isa-debugcon) how far it has come.
 *
 * Write number n fills the 4096 bytes of slot n modulo SLOTS with n. Before it
 * does, it reads the slot: there must be what write n - SLOTS left. So the guest
 * finds every write that was lost but the last SLOTS, and those whoever looks at
 * the disk afterwards. A line is one of
 *
 *	0000002a	write 42 is done
 *	E00000010	the BIOS says that I/O failed, with this in AX
 *	L00000001	a slot doesn't hold what it should, but this
 *
 * After the last two it halts.
 *
 *	as --32 -o guest.o guest.S
 *	ld -m elf_i386 -Ttext 0x7c00 --oformat binary -o guest.bin guest.o
 */
	.set	SLOTS, 32		/* a power of two */
	.set	FIRST, 2048		/* where they begin, in sectors */
	.set	BUFFER, 0x8000
	.set	SECTORS, 8		/* of a slot */
	.set	LONGS, SECTORS * 512 / 4

	.code16
	.globl	_start
_start:
	ljmp	$0, $1f
1:	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movw	$0x7c00, %sp
	sti
	cld
	movb	%dl, drive

next:
	incl	number
	movl	number, %eax
	andl	$(SLOTS - 1), %eax
	shll	$3, %eax
	addl	$FIRST, %eax
	movl	%eax, lba

	movl	number, %eax
	subl	$SLOTS, %eax
	jbe	2f
	movb	$0x42, %ah		/* read */
	call	disk
	movl	number, %eax
	subl	$SLOTS, %eax
	movw	$BUFFER, %di
	movw	$LONGS, %cx
	repe scasl
	jne	lost

2:	movl	number, %eax
	movw	$BUFFER, %di
	movw	$LONGS, %cx
	rep stosl
	movw	$0x4300, %ax		/* write */
	call	disk
	movl	number, %eax
	call	tell
	jmp	next

lost:
	movl	-4(%di), %ebx
	movb	$'L', %al
	jmp	end

/* AX is the BIOS's function. The rest of a request is in the packet. */
disk:
	movb	drive, %dl
	movw	$packet, %si
	int	$0x13
	jc	1f
	ret
1:	movzwl	%ax, %ebx
	movb	$'E', %al

/* A letter and EBX, and no more. */
end:
	outb	%al, $0xe9
	movl	%ebx, %eax
	call	tell
	cli
1:	hlt
	jmp	1b

/* EAX in hexadecimal, and a newline. */
tell:
	movl	%eax, %edx
	movw	$8, %cx
1:	roll	$4, %edx
	movb	%dl, %al
	andb	$0x0f, %al
	cmpb	$10, %al
	jb	2f
	addb	$('a' - '0' - 10), %al
2:	addb	$'0', %al
	outb	%al, $0xe9
	loop	1b
	movb	$'\n', %al
	outb	%al, $0xe9
	ret

drive:	.byte	0
number:	.long	0
	.balign	4
packet:	.byte	16, 0
	.word	SECTORS
	.word	BUFFER, 0		/* offset, segment */
lba:	.long	0, 0

	.org	510
	.word	0xaa55
