/* Interrupt-driven serial port with ring buffers. */
#pragma once
#include "firmware.h"

#define RING_SIZE 64u

bool serial_read(char *byte); /* false: nothing there */
void serial_write(char byte); /* waits while the ring is full */
void serial_flush(void);      /* waits until the last byte went out */
unsigned serial_lost(void);   /* bytes that came while the ring was full */

/* Called by the board's interrupt handler. */
void uart_received(char byte);
void uart_sent(void);
