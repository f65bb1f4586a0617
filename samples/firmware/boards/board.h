/* What a board offers to the samples, and the facts that their tests need. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

void board_init(void);
void uart_put(char byte); /* polled */
bool uart_ready(void);    /* a byte has been received */
char uart_get(void);      /* polled, waits */
void led(bool on);

/* Periodic interrupt at `hz`, which calls on_tick(). */
void board_ticks(uint32_t hz);
void board_ticks_priority(unsigned priority);

/* Interrupt-driven transfers, see lib/serial.c: the board calls uart_received() and uart_sent(). */
void uart_interrupts(void);
void uart_send(char byte);
void uart_send_done(void); /* nothing left: no more "sent" interrupts */

/* IRQ_A < IRQ_B < IRQ_C < IRQ_D have no device that is in use: tests pend them by software.
   PRIORITY_BITS counts the implemented bits of a priority. HOLE is an address in the SRAM region (executable by default)
   without memory; BITBAND_REGISTER is a peripheral register that keeps bits 5 and 6.
   ROM_END is where the memory with the vector table ends, if nothing answers behind it (MPS2 has a reserved window there). */
#if defined(BOARD_MPS2)
#define CORE_HZ 25000000u
#define PRIORITY_BITS 3
#define IRQ_A 26
#define IRQ_B 27
#define IRQ_C 28
#define IRQ_D 29
#define HOLE 0x30000000u
#define BITBAND 1
#define BITBAND_REGISTER 0x40005010u /* UART 1 BAUDDIV */
#elif defined(BOARD_LM3S)
#define CORE_HZ 12000000u
#define PRIORITY_BITS 3
#define IRQ_A 24
#define IRQ_B 25
#define IRQ_C 36
#define IRQ_D 37
#define HOLE 0x30000000u
#define ROM_END 0x00040000u
#define BITBAND 1
#define BITBAND_REGISTER 0x4000C024u /* UART 0 IBRD: nothing is being sent while it changes */
#elif defined(BOARD_NRF51)
#define CORE_HZ 16000000u
#define PRIORITY_BITS 2
#define IRQ_A 20
#define IRQ_B 21
#define IRQ_C 22
#define IRQ_D 23
#define HOLE 0x30000000u
#define BITBAND 0
#define BITBAND_REGISTER 0u
#elif defined(BOARD_STM32)
#define CORE_HZ 16000000u
#define PRIORITY_BITS 4
#define IRQ_A 63
#define IRQ_B 64
#define IRQ_C 65
#define IRQ_D 66
#define HOLE 0x30000000u
#define ROM_END 0x08100000u
#define BITBAND 1
#define BITBAND_REGISTER 0x40011018u /* USART 1 GTPR */
#else
#error "no such board"
#endif
