/* Names for the compiler attributes that the project uses. */
#ifndef PL_BASE_COMPILER_H
#define PL_BASE_COMPILER_H

#define PL_MUST_USE __attribute__((warn_unused_result))
#define PL_PRINTF(text, first) __attribute__((format(printf, text, first)))
#define PL_NORETURN __attribute__((noreturn))
#define PL_LIKELY(x) __builtin_expect(!!(x), 1)
#define PL_UNLIKELY(x) __builtin_expect(!!(x), 0)

#endif
