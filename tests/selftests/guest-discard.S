/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest in a boot sector, which looks at the virtio-blk disk in PCI slot 5 as a
 * driver would, by its legacy registers, and discards COUNT sectors from FIRST on.
 * The BIOS knows neither discards nor disks of 4096-byte sectors. It is booted
 * from another disk, and says on port 0xe9, in hexadecimal, each on a line,
 *
 *	the size of a logical block
 *	logarithm of how many of them are a physical one
 *	how many sectors a discard may have; 0 without discards
 *	the status of the discard: 0 is success
 *	"end"
 */
	.set	SLOT, 5
	.set	FIRST, 16384
	.set	COUNT, 8192
	.set	RING, 0x10000		/* physical; a page each for: */
	.set	AVAIL, 0x1000		/* ... behind the descriptors, what is offered */
	.set	USED, 0x2000		/* ... and what is done */
	.set	QUEUE, 256		/* entries, QEMU's default */

	/* Registers of the device, and of its configuration */
	.set	FEATURES, 4
	.set	QUEUE_PFN, 8
	.set	QUEUE_SIZE, 12
	.set	QUEUE_SELECT, 14
	.set	NOTIFY, 16
	.set	STATUS, 18
	.set	BLOCK_SIZE, 20 + 20
	.set	PHYSICAL_EXPONENT, 20 + 24
	.set	MAX_DISCARD, 20 + 36

	.code16
	.globl	_start
_start:
	ljmp	$0, $1f
1:	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %ss
	movw	$0x7c00, %sp
	movw	$(RING >> 4), %ax
	movw	%ax, %es
	cld

	/* I/O and DMA on; the first BAR is where the registers are. */
	movl	$(0x80000000 | SLOT << 11 | 4), %eax
	call	pci
	inl	%dx, %eax
	orb	$5, %al
	outl	%eax, %dx
	movl	$(0x80000000 | SLOT << 11 | 16), %eax
	call	pci
	inl	%dx, %eax
	andb	$0xfc, %al
	movw	%ax, base

	/* Reset, here we are, and know discards (bit 13). */
	movw	$STATUS, %cx
	call	reg
	xorb	%al, %al
	outb	%al, %dx
	movb	$3, %al
	outb	%al, %dx
	movw	$FEATURES, %cx
	call	reg
	movl	$(1 << 13), %eax
	outl	%eax, %dx

	movw	$BLOCK_SIZE, %cx
	call	reg
	inl	%dx, %eax
	call	tell
	movw	$PHYSICAL_EXPONENT, %cx
	call	reg
	xorl	%eax, %eax
	inb	%dx, %al
	call	tell
	movw	$MAX_DISCARD, %cx
	call	reg
	inl	%dx, %eax
	call	tell

	/* The queue: empty, then three descriptors, the first of which is offered. */
	xorw	%di, %di
	xorl	%eax, %eax
	movw	$(0x3000 / 4), %cx
	rep stosl
	movw	$QUEUE_SELECT, %cx
	call	reg
	outw	%ax, %dx
	movw	$QUEUE_SIZE, %cx
	call	reg
	inw	%dx, %ax
	cmpw	$QUEUE, %ax
	jne	end
	movw	$descriptors, %si
	xorw	%di, %di
	movw	$(48 / 2), %cx
	rep movsw
	movw	$1, %es:(AVAIL + 2)
	movw	$QUEUE_PFN, %cx
	call	reg
	movl	$(RING >> 12), %eax
	outl	%eax, %dx
	movw	$STATUS, %cx
	call	reg
	movb	$7, %al			/* ready */
	outb	%al, %dx
	movw	$NOTIFY, %cx
	call	reg
	xorw	%ax, %ax
	outw	%ax, %dx
1:	cmpw	$1, %es:(USED + 2)
	jne	1b
	movzbl	status, %eax
	call	tell

end:
	movw	$the_end, %si
	movw	$4, %cx
1:	lodsb
	outb	%al, $0xe9
	loop	1b
	cli
2:	hlt
	jmp	2b

/* EAX is an address of PCI configuration space; DX is where it is read. */
pci:
	movw	$0xcf8, %dx
	outl	%eax, %dx
	movw	$0xcfc, %dx
	ret

/* The register with offset CX, to DX. */
reg:
	movw	base, %dx
	addw	%cx, %dx
	ret

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

the_end: .ascii	"end\n"
base:	.word	0
status:	.byte	0xff
	.balign	8
request: .long	11, 0, 0, 0		/* discard */
range:	.long	FIRST, 0, COUNT, 0
descriptors:
	.long	request, 0, 16
	.word	1, 1			/* there is more: number 1 */
	.long	range, 0, 16
	.word	1, 2
	.long	status, 0, 1
	.word	2, 0			/* for the device to write */

	.org	510
	.word	0xaa55
