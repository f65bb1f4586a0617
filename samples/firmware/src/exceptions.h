/* The parts of the exception tests. */
#pragma once
#include "check.h"

#define IS_M7 ((CPUID >> 4 & 0xFFF) == 0xC27)

/* Prepares IRQ_A, IRQ_B and IRQ_C, enabled, with these priorities: their handlers mark Aa, Bb, Cc in `order`. */
void three_interrupts(unsigned a, unsigned b, unsigned c);

/* Calls with PSP = `top` as the stack in use, and comes back to the main stack. */
void on_process_stack(void (*call)(void), uint32_t *top);

/* Everything that ARMv6-M does not have; nothing there. */
void exceptions_v7m(void);
void exceptions_units(void);
