/* Product of matrices in single precision. */
#define NUMBER float
#define ROUNDS 50
#include "matrix.h"
