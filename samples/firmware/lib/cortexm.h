/* Registers of the Cortex-M system control space, and its instructions. ARMv7-M ARM (DDI 0403E), B3. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REG(address) (*(volatile uint32_t *)(uintptr_t)(address))
#define REG8(address) (*(volatile uint8_t *)(uintptr_t)(address))
#define V7M (__ARM_ARCH >= 7)

#define ACTLR REG(0xE000E008)
#define SYST_CSR REG(0xE000E010)
#define SYST_RVR REG(0xE000E014)
#define SYST_CVR REG(0xE000E018)
#define SYST_CALIB REG(0xE000E01C)
#define NVIC_ISER(n) REG(0xE000E100 + 4 * (n))
#define NVIC_ICER(n) REG(0xE000E180 + 4 * (n))
#define NVIC_ISPR(n) REG(0xE000E200 + 4 * (n))
#define NVIC_ICPR(n) REG(0xE000E280 + 4 * (n))
#define NVIC_IABR(n) REG(0xE000E300 + 4 * (n))
#define NVIC_IPR(n) REG(0xE000E400 + 4 * (n))
#define CPUID REG(0xE000ED00)
#define ICSR REG(0xE000ED04)
#define VTOR REG(0xE000ED08)
#define AIRCR REG(0xE000ED0C)
#define SCR REG(0xE000ED10)
#define CCR REG(0xE000ED14)
#define SHPR(n) REG(0xE000ED14 + 4 * (n)) /* n = 1, 2, 3 */
#define SHCSR REG(0xE000ED24)
#define CFSR REG(0xE000ED28)
#define HFSR REG(0xE000ED2C)
#define DFSR REG(0xE000ED30)
#define MMFAR REG(0xE000ED34)
#define BFAR REG(0xE000ED38)
#define CPACR REG(0xE000ED88)
#define MPU_TYPE REG(0xE000ED90)
#define MPU_CTRL REG(0xE000ED94)
#define MPU_RNR REG(0xE000ED98)
#define MPU_RBAR REG(0xE000ED9C)
#define MPU_RASR REG(0xE000EDA0)
#define DEMCR REG(0xE000EDFC)
#define STIR REG(0xE000EF00)
#define FPCCR REG(0xE000EF34)
#define FPCAR REG(0xE000EF38)
#define FPDSCR REG(0xE000EF3C)
#define DWT_CTRL REG(0xE0001000)
#define DWT_CYCCNT REG(0xE0001004)
#define ITM_STIM(n) REG(0xE0000000 + 4 * (n))
#define ITM_TER REG(0xE0000E00)
#define ITM_TPR REG(0xE0000E40)
#define ITM_TCR REG(0xE0000E80)
#define ITM_LAR REG(0xE0000FB0)

#define ICSR_NMIPENDSET (1u << 31)
#define ICSR_PENDSVSET (1u << 28)
#define ICSR_PENDSVCLR (1u << 27)
#define ICSR_PENDSTSET (1u << 26)
#define ICSR_PENDSTCLR (1u << 25)
#define ICSR_ISRPENDING (1u << 22)
#define ICSR_RETTOBASE (1u << 11)
#define AIRCR_VECTKEY 0x05FA0000u
#define SCR_SLEEPONEXIT 2u
#define SCR_SEVONPEND 16u
#define CCR_NONBASETHRDENA 1u
#define CCR_USERSETMPEND 2u
#define CCR_UNALIGN_TRP 8u
#define CCR_DIV_0_TRP 16u
#define CCR_BFHFNMIGN 256u
#define CCR_STKALIGN 512u
#define SHCSR_MEMFAULTENA (1u << 16)
#define SHCSR_BUSFAULTENA (1u << 17)
#define SHCSR_USGFAULTENA (1u << 18)

enum { NMI = 2, HARD_FAULT, MEM_MANAGE, BUS_FAULT, USAGE_FAULT, SVCALL = 11, DEBUG_MONITOR, PENDSV = 14, SYSTICK, IRQ0 };

/* What the processor pushes on exception entry. B1.5.6. */
struct frame {
    uint32_t r0, r1, r2, r3, r12, lr, pc, xpsr;
};

#define READ_SPECIAL(name) ({ uint32_t value_; __asm__ volatile("mrs %0, " #name : "=r"(value_) : : "memory"); value_; })
#define WRITE_SPECIAL(name, value) __asm__ volatile("msr " #name ", %0\n isb" : : "r"((uint32_t)(value)) : "memory")

static inline void dsb(void) { __asm__ volatile("dsb" ::: "memory"); }
static inline void isb(void) { __asm__ volatile("isb" ::: "memory"); }
static inline void sync(void) { __asm__ volatile("dsb\n isb" ::: "memory"); }
static inline void wfi(void) { __asm__ volatile("wfi" ::: "memory"); }
static inline void wfe(void) { __asm__ volatile("wfe" ::: "memory"); }
static inline void sev(void) { __asm__ volatile("sev" ::: "memory"); }
static inline void irq_disable(void) { __asm__ volatile("cpsid i" ::: "memory"); }
static inline void irq_enable(void) { __asm__ volatile("cpsie i\n isb" ::: "memory"); }

static inline void nvic_enable(unsigned irq) { NVIC_ISER(irq / 32) = 1u << irq % 32; }
static inline void nvic_disable(unsigned irq) {
    NVIC_ICER(irq / 32) = 1u << irq % 32;
    sync();
}
static inline void nvic_pend(unsigned irq) {
    NVIC_ISPR(irq / 32) = 1u << irq % 32;
    sync();
}
static inline bool nvic_pending(unsigned irq) { return NVIC_ISPR(irq / 32) >> irq % 32 & 1; }

/* Word accesses only: ARMv6-M has no others here. */
static inline void nvic_priority(unsigned irq, unsigned priority) {
    unsigned shift = irq % 4 * 8;
    NVIC_IPR(irq / 4) = (NVIC_IPR(irq / 4) & ~(0xFFu << shift)) | priority << shift;
}
static inline void system_priority(unsigned exception, unsigned priority) {
    unsigned shift = exception % 4 * 8;
    SHPR(exception / 4) = (SHPR(exception / 4) & ~(0xFFu << shift)) | priority << shift;
}
