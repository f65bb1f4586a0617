/* Product of matrices in double precision. */
#define NUMBER double
#define ROUNDS 35
#include "matrix.h"
