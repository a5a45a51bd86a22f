/* Prints what BMI, ADX, LZCNT, MOVBE and their kin make of numbers, with the flags, and what CPUID announces. */
#include <cpuid.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>

#define ALL "cc", "memory"
static uint64_t numbers[] = {0, 1, 0x80, 0x8000, 0xFFFF, 0x12345678, 0x80000000, 0xFFFFFFFF, 0x100000000, 0x8000000000000000,
                             0xFFFFFFFFFFFFFFFF, 0x0123456789ABCDEF, 0x00F0000000000F00, 0x0000100000000000, 0x1F08, 63};
enum { COUNT = sizeof numbers / sizeof *numbers };
static const uint64_t ALL_FLAGS = 0x8D5;

/* Flags that an instruction leaves undefined are masked; `first` is what the destination has before. */
#define THREE(name, suffix, type, defined) static void name##_##suffix(void) { \
    for (int i = 0; i < COUNT; i++) for (int j = 0; j < COUNT; j++) for (int carry = 0; carry < 2; carry++) { \
        uint64_t flags, out = 0x5555555555555555, left = numbers[i], right = numbers[j], set = carry ? 0x8D5 : 0; \
        uint64_t kept = 0, from_memory = 0x5555555555555555; \
        __asm__ volatile("push %[set]; popfq; " #name " %" type "[right], %" type "[left], %" type "[out]; pushfq; pop %[flags]" \
            : [out] "+&r"(out), [flags] "=&r"(flags) : [left] "r"(left), [right] "r"(right), [set] "r"(set) : ALL); \
        printf(#name #suffix " %lx %lx = %lx flags %lx\n", left, right, out, flags & (defined)); (void)kept; (void)from_memory; } }
#define TWO(name, suffix, type, defined) static void name##_##suffix(void) { \
    for (int i = 0; i < COUNT; i++) for (int carry = 0; carry < 2; carry++) { \
        uint64_t flags, out = 0x5555555555555555, again = out, in = numbers[i], set = carry ? 0x8D5 : 0; \
        __asm__ volatile("push %[set]; popfq; " #name " %" type "[in], %" type "[out]; pushfq; pop %[flags]" \
            : [out] "+&r"(out), [flags] "=&r"(flags) : [in] "r"(in), [set] "r"(set) : ALL); \
        __asm__ volatile(#name " %[in], %" type "[out]" : [out] "+&r"(again) : [in] "m"(in) : ALL); \
        printf(#name #suffix " %lx = %lx %lx flags %lx\n", in, out, again, flags & (defined)); } }
#define WIDE(what, name, defined) what(name, 32, "k", defined) what(name, 64, "q", defined)

enum { CF = 1, ZF = 0x40, SF = 0x80, OF = 0x800 };
WIDE(THREE, pext, 0x8D5) WIDE(THREE, pdep, 0x8D5) WIDE(THREE, mulx, 0x8D5)
WIDE(THREE, sarx, 0x8D5) WIDE(THREE, shlx, 0x8D5) WIDE(THREE, shrx, 0x8D5)
WIDE(THREE, bextr, ZF | CF | OF) WIDE(THREE, bzhi, ZF | SF | CF | OF) WIDE(THREE, andn, ZF | SF | CF | OF)
WIDE(TWO, blsr, ZF | SF | CF | OF) WIDE(TWO, blsi, ZF | SF | CF | OF) WIDE(TWO, blsmsk, ZF | SF | CF | OF)
WIDE(TWO, tzcnt, ZF | CF) WIDE(TWO, lzcnt, ZF | CF) WIDE(TWO, popcnt, 0x8D5)
TWO(tzcnt, 16, "w", ZF | CF) TWO(lzcnt, 16, "w", ZF | CF) TWO(popcnt, 16, "w", 0x8D5)
WIDE(TWO, adcx, 0x8D5) WIDE(TWO, adox, 0x8D5)

#define ROTATE(by) { uint64_t out, short_ = 0; __asm__("rorx $" #by ", %1, %0" : "=r"(out) : "r"(numbers[i])); \
    __asm__("rorx $" #by ", %k1, %k0" : "=r"(short_) : "r"(numbers[i])); printf("rorx %lx " #by " = %lx %lx\n", numbers[i], out, short_); }
#define SWAP(type, suffix) { uint64_t out = 0x5555555555555555, stored = out; \
    __asm__("movbe %1, %" suffix "0" : "+r"(out) : "m"(numbers[i])); __asm__("movbe %" suffix "1, %0" : "+m"(stored) : "r"(numbers[i])); \
    printf("movbe " suffix " %lx = %lx %lx\n", numbers[i], out, stored); }

static void random_numbers(void) {
    for (int i = 0; i < 3; i++) {
        uint64_t flags[6], out[6] = {-1ul, -1ul, -1ul, -1ul, -1ul, -1ul};
#define DRAW(at, name, type) do __asm__ volatile(name " %" type "0; pushfq; pop %1" : "+&r"(out[at]), "=&r"(flags[at]) : : ALL); while (!(flags[at] & CF))
        DRAW(0, "rdrand", "w"); DRAW(1, "rdrand", "k"); DRAW(2, "rdrand", "q");
        DRAW(3, "rdseed", "w"); DRAW(4, "rdseed", "k"); DRAW(5, "rdseed", "q");
        for (int at = 0; at < 6; at++)
            printf("random %d upper %lx %lx flags %lx\n", at, out[at] >> 32 & (at % 3 == 2 ? 0 : -1ul), at % 3 ? 0 : out[at] >> 16, flags[at] & ALL_FLAGS);
    }
}

static void segments(void) {
    uint64_t base, here;
    __asm__ volatile("rdfsbase %0" : "=r"(base)); __asm__ volatile("mov %%fs:0, %0" : "=r"(here));
    printf("fsbase %d\n", base == here);
    __asm__ volatile("wrgsbase %0" : : "r"(numbers)); __asm__ volatile("mov %%gs:8, %0" : "=r"(here));
    __asm__ volatile("rdgsbase %0" : "=r"(base)); printf("gsbase %d %lx\n", base == (uint64_t)numbers, here);
}

static void announced(void) {
    unsigned a, b, c, d;
    __cpuid(1, a, b, c, d);
    printf("cpuid movbe %d rdrand %d popcnt %d hwcap %d\n", c >> 22 & 1, c >> 30 & 1, c >> 23 & 1, getauxval(AT_HWCAP) == d);
    __cpuid_count(7, 0, a, b, c, d);
    printf("cpuid fsgsbase %d bmi1 %d bmi2 %d rdseed %d adx %d hwcap2 %lx\n", b & 1, b >> 3 & 1, b >> 8 & 1, b >> 18 & 1, b >> 19 & 1, getauxval(AT_HWCAP2) & 2);
    __cpuid(0x80000001, a, b, c, d);
    printf("cpuid lzcnt %d lahf %d\n", c >> 5 & 1, c & 1);
    const char *names[] = {"bmi1", "bmi2", "avx", "adx"}; (void)names;
    printf("supports %d %d %d %d\n", !!__builtin_cpu_supports("bmi"), !!__builtin_cpu_supports("bmi2"),
           !!__builtin_cpu_supports("popcnt"), !!__builtin_cpu_supports("sse4.2"));
}

static void drawn(void) {
    for (int i = 0; i < 4; i++) { uint64_t out; __asm__ volatile("rdrand %0" : "=r"(out) : : ALL); printf("%lx\n", out); }
}

int main(int count, char **names) {
    if (count > 1) { drawn(); return 0; }
#define BOTH(name) name##_32(); name##_64();
    BOTH(pext) BOTH(pdep) BOTH(mulx) BOTH(sarx) BOTH(shlx) BOTH(shrx) BOTH(bextr) BOTH(bzhi) BOTH(andn)
    BOTH(blsr) BOTH(blsi) BOTH(blsmsk) BOTH(tzcnt) BOTH(lzcnt) BOTH(popcnt) BOTH(adcx) BOTH(adox)
    tzcnt_16(); lzcnt_16(); popcnt_16();
    for (int i = 0; i < COUNT; i++) { ROTATE(0) ROTATE(7) ROTATE(33) SWAP(uint16_t, "w") SWAP(uint32_t, "k") SWAP(uint64_t, "q") }
    random_numbers(); segments(); announced();
    return 0;
}
