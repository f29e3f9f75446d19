	.text
	.file	"scale"
	.hidden	kernel0.scale
	.globl	kernel0.scale
	.p2align	4, 0x90
	.type	kernel0.scale,@function
kernel0.scale:
	vbroadcastss	(%rsi), %zmm0
	xorl	%eax, %eax
	vxorps	%xmm1, %xmm1, %xmm1
	.p2align	4, 0x90
.LBB0_1:
	vmulps	(%rdi,%rax,4), %zmm0, %zmm2
	vmaxps	%zmm1, %zmm2, %zmm3
	vcmpunordps	%zmm2, %zmm2, %k1
	vmovaps	%zmm2, %zmm3 {%k1}
	vmovups	%zmm3, (%rdx,%rax,4)
	addq	$16, %rax
	cmpq	$96, %rax
	jb	.LBB0_1
	vbroadcastss	%xmm0, %xmm0
	vmulps	384(%rdi), %xmm0, %xmm0
	vxorps	%xmm1, %xmm1, %xmm1
	vmaxps	%xmm1, %xmm0, %xmm1
	vcmpunordps	%xmm0, %xmm0, %k1
	vmovaps	%xmm0, %xmm1 {%k1}
	vmovups	%xmm1, 384(%rdx)
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
