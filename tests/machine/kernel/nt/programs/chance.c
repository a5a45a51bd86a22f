/* Random numbers, by all the ways that programs and libraries ask for them. */
#define _CRT_RAND_S
#include <windows.h>
#include <bcrypt.h>
#include <rpc.h>
#include <stdio.h>
#include <stdlib.h>

BOOLEAN NTAPI SystemFunction036(PVOID buffer, ULONG size);

static BYTE first[200], second[200];

static void differ(const char *what, int fine, size_t size)
{
    static const BYTE zeros[200];
    printf("%s %d differ %d\n", what, fine, memcmp(first, second, size) && memcmp(first, zeros, size) &&
           memcmp(first, first + size / 2, size / 2));
    memset(first, 0, sizeof first);
    memset(second, 0, sizeof second);
}

int main(void)
{
    setvbuf(stdout, NULL, _IONBF, 0);
    int fine = SystemFunction036(first, 16) && SystemFunction036(second, 16);
    differ("RtlGenRandom", fine, 16);
    fine = SystemFunction036(first, 200) && SystemFunction036(second, 200);
    differ("RtlGenRandom", fine, 200);
    fine = !BCryptGenRandom(NULL, first, 33, BCRYPT_USE_SYSTEM_PREFERRED_RNG)
        && !BCryptGenRandom(NULL, second, 33, BCRYPT_USE_SYSTEM_PREFERRED_RNG);
    differ("preferred", fine, 33);
    BCRYPT_ALG_HANDLE source;
    fine = !BCryptOpenAlgorithmProvider(&source, BCRYPT_RNG_ALGORITHM, NULL, 0);
    fine = fine && !BCryptGenRandom(source, first, 8, 0) && !BCryptGenRandom(source, second, 8, 0);
    differ("provider", fine, 8);
    fine = !rand_s((unsigned *)first) && !rand_s((unsigned *)second);
    differ("rand_s", fine, 4);
    fine = UuidCreate((UUID *)first) == RPC_S_OK && UuidCreate((UUID *)second) == RPC_S_OK;
    differ("uuid", fine, 16);
    return 7;
}
