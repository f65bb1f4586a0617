/* Into a case and out of it: everything but the registers that a signal's frame has. VECTOR: there is AltiVec. */

#ifdef __powerpc64__
#define LOAD(register, offset, base)  ld register, (offset)(base)
#define STORE(register, offset, base) std register, (offset)(base)
#define WORD_STORE std
#define WORD_LOAD ld
#define PUSH stdu
#else
#define LOAD(register, offset, base)  lwz register, (offset) + 4(base)     /* the low half of a doubleword */
#define STORE(register, offset, base) stw register, (offset) + 4(base)
#define WORD_STORE stw
#define WORD_LOAD lwz
#define PUSH stwu
#endif
#define FRAME 512
#define KEPT(n) (64 + 8 * (n))          /* where the driver's own registers are in its frame */
#define NIP 256
#define LR 264
#define TAR 280
#define CR 288
#define XER 296
#define VRSAVE 304
#define FPSCR 312
#define VSCR 320
#define VSR 336

        .machine any
        .bss
        .balign 16
saved_sp: .space 16
unreserved: .space 16

        .text
        .globl _start, enter, resume, save_vectors
        .type enter, @function
        .type resume, @function
        .type save_vectors, @function
_start:
#ifdef __powerpc64__
        lis 2, .TOC.@ha
        addi 2, 2, .TOC.@l
#endif
        PUSH 1, -256(1)
        bl run

enter:  mflr 0
        PUSH 1, -FRAME(1)
        WORD_STORE 0, KEPT(0)(1)
        mfcr 0
        WORD_STORE 0, KEPT(1)(1)
        .irp n, 2,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
        WORD_STORE \n, KEPT(\n)(1)
        .endr
        lis 4, saved_sp@ha
        WORD_STORE 1, saved_sp@l(4)
        lfd 0, FPSCR(3)
        .set n, 0
#ifdef __powerpc64__
        mtfsf 255, 0, 1, 0
        li 4, VSCR
        lvx 0, 3, 4
        mtvscr 0
        .rept 64
        lxv n, VSR + 16 * n(3)
        .set n, n + 1
        .endr
        LOAD(4, TAR, 3)
        mtspr 815, 4
#else
        mtfsf 255, 0
        .rept 32
        lfd n, VSR + 16 * n(3)
        .set n, n + 1
        .endr
#ifdef VECTOR
        li 4, VSCR
        lvx 0, 3, 4
        mtvscr 0
        .set n, 0
        .rept 32
        li 4, VSR + 512 + 16 * n
        lvx n, 3, 4
        .set n, n + 1
        .endr
#endif
#endif
#ifdef VECTOR
        LOAD(4, VRSAVE, 3)
        mtspr 256, 4
#endif
        lis 5, unreserved@ha
        addi 5, 5, unreserved@l
        stwcx. 0, 0, 5
        LOAD(4, LR, 3)
        mtlr 4
        LOAD(4, XER, 3)
        mtspr 1, 4
        LOAD(4, CR, 3)
        mtcrf 255, 4
        LOAD(4, NIP, 3)
        mtctr 4
        mr 1, 3
        .set n, 2
        .rept 30
        LOAD(n, 8 * n, 1)
        .set n, n + 1
        .endr
        bctr

resume: lis 4, saved_sp@ha
        WORD_LOAD 1, saved_sp@l(4)
        .irp n, 2,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
        WORD_LOAD \n, KEPT(\n)(1)
        .endr
        WORD_LOAD 0, KEPT(1)(1)
        mtcrf 255, 0
        WORD_LOAD 0, KEPT(0)(1)
        mtlr 0
        addi 1, 1, FRAME
        blr

save_vectors:
        .set n, 0
#ifdef __powerpc64__
        .rept 64
        stxv n, VSR + 16 * n(3)
        .set n, n + 1
        .endr
        mfspr 4, 815
        STORE(4, TAR, 3)
#else
        .rept 32
        stfd n, VSR + 16 * n(3)
        .set n, n + 1
        .endr
#ifdef VECTOR
        .set n, 0
        .rept 32
        li 4, VSR + 512 + 16 * n
        stvx n, 3, 4
        .set n, n + 1
        .endr
#endif
#endif
#ifdef VECTOR
        mfvscr 0
        li 4, VSCR
        stvx 0, 3, 4
        mfspr 4, 256
        STORE(4, VRSAVE, 3)
#endif
        blr
        .section .note.GNU-stack, "", @progbits
