#ifndef TE_COMPILER_H
#define TE_COMPILER_H

/* What C99 cannot say and every supported compiler can. */

#if defined(__GNUC__) || defined(__clang__)
#define TE_ALIGNED(bytes) __attribute__((aligned(bytes)))
#define TE_INLINE static inline __attribute__((always_inline))
#elif defined(__ICCARM__) || defined(_MSC_VER)
#define TE_ALIGNED(bytes)
#define TE_INLINE static inline
#else
#define TE_ALIGNED(bytes)
#define TE_INLINE static inline
#endif

#endif
