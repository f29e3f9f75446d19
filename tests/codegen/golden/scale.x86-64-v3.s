	.text
	.file	"scale"
	.hidden	kernel0.scale
	.globl	kernel0.scale
	.p2align	4, 0x90
	.type	kernel0.scale,@function
kernel0.scale:
	vbroadcastss	(%rsi), %ymm0
	xorl	%eax, %eax
	vxorps	%xmm1, %xmm1, %xmm1
	.p2align	4, 0x90
.LBB0_1:
	vmulps	(%rdi,%rax,4), %ymm0, %ymm2
	vmulps	32(%rdi,%rax,4), %ymm0, %ymm3
	vmaxps	%ymm1, %ymm3, %ymm4
	vcmpunordps	%ymm3, %ymm3, %ymm5
	vblendvps	%ymm5, %ymm3, %ymm4, %ymm3
	vmaxps	%ymm1, %ymm2, %ymm4
	vcmpunordps	%ymm2, %ymm2, %ymm5
	vblendvps	%ymm5, %ymm2, %ymm4, %ymm2
	vmovups	%ymm2, (%rdx,%rax,4)
	vmovups	%ymm3, 32(%rdx,%rax,4)
	addq	$16, %rax
	cmpq	$96, %rax
	jb	.LBB0_1
	vbroadcastss	%xmm0, %xmm0
	vmulps	384(%rdi), %xmm0, %xmm0
	vxorps	%xmm1, %xmm1, %xmm1
	vmaxps	%xmm1, %xmm0, %xmm1
	vcmpunordps	%xmm0, %xmm0, %xmm2
	vblendvps	%xmm2, %xmm0, %xmm1, %xmm0
	vmovups	%xmm0, 384(%rdx)
	vzeroupper
	retq
.Lfunc_end0:
	.size	kernel0.scale, .Lfunc_end0-kernel0.scale

	.globl	pullback_entry
	.p2align	4, 0x90
	.type	pullback_entry,@function
pullback_entry:
.Lpullback_entry$local:
	.type	.Lpullback_entry$local,@function
	pushq	%rax
	movq	8(%rdi), %r9
	movq	16(%rsi), %rdi
	movq	24(%rsi), %rax
	movq	32(%rsi), %rdx
	movl	$1, %r8d
	movq	%rax, %rsi
	xorl	%ecx, %ecx
	callq	kernel0.scale
	xorl	%eax, %eax
	popq	%rcx
	retq
.Lfunc_end1:
	.size	pullback_entry, .Lfunc_end1-pullback_entry
	.size	.Lpullback_entry$local, .Lfunc_end1-pullback_entry

	.section	".note.GNU-stack","",@progbits
