/* What every sample uses: text, exit, and the hook for exceptions without a handler of their own. */
#pragma once
#include "board.h"
#include "cortexm.h"

void print(const char *format, ...);
bool same_text(const char *a, const char *b);

/* Ends the run through semihosting; 0 is success. */
_Noreturn void leave(int code);

/* Called, as the handler, for every exception whose vector nobody defines. The library's reports it and leaves with 1.
   `msp` is the main stack pointer at entry: the frame is there, or at PSP if bit 2 of EXC_RETURN is set. */
void on_exception(uint32_t exc_return, struct frame *msp);

/* Called by the board's periodic interrupt (board_ticks). */
void on_tick(void);
