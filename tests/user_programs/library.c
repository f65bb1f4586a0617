/* What the C library computes: sorting, elementary functions, rounding modes and exceptions, 64-bit arithmetic, formats, strings. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <complex.h>
#include <locale.h>
#include <time.h>
#include <wchar.h>
#include <stdint.h>
#include <inttypes.h>
#include <setjmp.h>
#include <fenv.h>
#include <float.h>
#include <regex.h>
#include <search.h>
static int cmp(const void*a,const void*b){double x=*(double*)a,y=*(double*)b;return x<y?-1:x>y;}
int main(void){
  double v[50]; unsigned s=1; for(int i=0;i<50;i++){s=s*1103515245+12345; v[i]=(int)s/65536.0;} qsort(v,50,sizeof*v,cmp); for(int i=0;i<50;i+=7)printf("%.10g ",v[i]); puts("");
  for(double x=-3;x<=3;x+=0.7)printf("%.15g %.15g %.15g %.15g %.15g %.15g\n",sin(x),exp(x),log(x*x+1),pow(fabs(x),x),atan2(x,2),cbrt(x));
  for(float x=-3;x<=3;x+=0.9f)printf("%.8g %.8g %.8g\n",sinf(x),expf(x),sqrtf(fabsf(x)));
  printf("%a %e %g %.3f %s\n",1.0/3,DBL_MAX,DBL_MIN,-0.0,"x"); printf("%g %g\n",-1e308*10,5e-324);
  uint64_t a=0x123456789abcdef0ULL,b=0xfedcba9876543ULL; printf("%"PRIu64" %"PRIu64" %"PRIx64" %"PRIx64" %"PRId64"\n",a/b,a%b,a*b,a<<13|a>>51,(int64_t)-a/1000);
  int64_t q=-1234567890123LL; for(int i=0;i<64;i+=9)printf("%"PRId64" ",q>>i); puts("");
  printf("%d %d %d\n",__builtin_popcountll(a),__builtin_clzll(b),__builtin_ctz(0x50000));
  long double ld=1.0L/3; printf("%.14Lg %.14Lg\n",ld*3,sqrtl(2.0L));
  double complex z=cexp(1+2*I); printf("%.12g %.12g\n",creal(z),cimag(z));
  char buf[200]; time_t t=1234567890; struct tm*tm=gmtime(&t); strftime(buf,200,"%A %d %B %Y %T",tm); puts(buf);
  sscanf("12 0x1f 3.25e2 word","%d %x %lf %s",&(int){0},&(unsigned){0},v,buf); printf("%g %s\n",v[0],buf);
  regex_t r; regcomp(&r,"([a-z]+)([0-9]+)",REG_EXTENDED); regmatch_t m[3]; printf("%d ",regexec(&r,"--abc123--",3,m,0)); printf("%d %d %d\n",(int)m[1].rm_so,(int)m[2].rm_so,(int)m[2].rm_eo);
  fesetround(FE_UPWARD); volatile double third=1.0; printf("%.20g ",third/3); fesetround(FE_DOWNWARD); printf("%.20g ",third/3); fesetround(FE_TOWARDZERO); printf("%.20g\n",-third/3); fesetround(FE_TONEAREST);
  feclearexcept(FE_ALL_EXCEPT); volatile double zero=0; volatile double inf=third/zero; printf("%d %d %d\n",!!fetestexcept(FE_DIVBYZERO),!!fetestexcept(FE_INVALID),isinf(inf)); feclearexcept(FE_ALL_EXCEPT); inf=zero/zero; printf("%d %d\n",!!fetestexcept(FE_INVALID),isnan(inf)); inf=third/3; printf("%d\n",!!fetestexcept(FE_INEXACT));
  for(double x=-2.5;x<3;x+=1)printf("%g %g %g %g %ld %lld|",floor(x),ceil(x),rint(x),trunc(x),lrint(x),llrint(x*1e10)); puts("");
  printf("%d %u %lld %llu\n",(int)-3.99,(unsigned)3e9,(long long)-1e15,(unsigned long long)1.8e19);
  jmp_buf j; volatile int n=0; if(setjmp(j)<3){n++; longjmp(j,n);} printf("%d\n",n);
  char *p=malloc(100000); memset(p,'a',99999); p[99999]=0; printf("%zu %d\n",strlen(p),memcmp(p,p+1,5000)); memmove(p+3,p,5000); p[4000]='b'; printf("%d %d\n",(int)(strchr(p,'b')-p),strncmp(p,p+1,3998)); for(int i=0;i<100;i++){p=realloc(p,1000+i*977);} free(p);
  wchar_t w[20]; mbstowcs(w,"wide",20); printf("%ls %d\n",w,(int)wcslen(w));
  unsigned short h[9]; for(int i=0;i<9;i++)h[i]=i*7777; unsigned sum=0; for(int i=0;i<9;i++)sum=sum*31+h[i]; printf("%u\n",sum);
  struct {unsigned a:5,b:11,c:16;} bf={17,1234,54321}; printf("%d %d %d\n",bf.a,bf.b,bf.c);
  return 0;}
