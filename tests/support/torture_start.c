/* Start-up of gcc's torture programs on a Cortex-M board: vector table, memory, FPU, newlib's semihosting, main, exit.
   Any fault ends the run through semihosting with exit code 1. */
#include <stdint.h>
#include <stdlib.h>

extern uint32_t data_load[], data_start[], data_end[], bss_start[], bss_end[], stack_top[];
int main(int argc, char **argv);
void initialise_monitor_handles(void);
void __libc_init_array(void);

/* newlib's __libc_init_array calls them; no program here has any. */
void _init(void) {}
void _fini(void) {}

/* Three programs write a file: in the directory they run in, not in one that all runs share. */
char *tmpnam(char *name) {
    (void)name;
    return "torture.tmp";
}

static void start(void) {
    static char *arguments[] = {"program", 0};
    const uint32_t *from = data_load;
    for (volatile uint32_t *to = data_start; to < (volatile uint32_t *)data_end; to++) *to = *from++;
    for (volatile uint32_t *to = bss_start; to < (volatile uint32_t *)bss_end; to++) *to = 0;
#if __ARM_FP
    *(volatile uint32_t *)0xE000ED88 |= 0xFu << 20; /* CPACR: CP10 and CP11 */
    __asm__ volatile("dsb\n isb");
#endif
    initialise_monitor_handles();
    __libc_init_array();
    exit(main(1, arguments));
}

static void fault(void) {
    register uint32_t operation __asm__("r0") = 0x18;   /* SYS_EXIT */
    register uint32_t reason __asm__("r1") = 0x20023;   /* ADP_Stopped_RunTimeErrorUnknown */
    __asm__ volatile("bkpt 0xAB" : : "r"(operation), "r"(reason));
    for (;;) {}
}

__attribute__((section(".vectors"), used)) static void (*const vectors[16])(void) = {
    (void (*)(void))stack_top, start, fault, fault, fault, fault, fault, 0, 0, 0, 0, fault, fault, 0, fault, fault};
