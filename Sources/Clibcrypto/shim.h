#ifndef CLIBCRYPTO_SHIM_H
#define CLIBCRYPTO_SHIM_H
/* The one-shot SHA1() and SHA256() of OpenSSL 3 look the algorithm up at every call, which costs more than hashing a
   small file. The older interface is deprecated but is the only one without that cost; its use is kept in this file. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

typedef struct { SHA_CTX context; } clibcrypto_sha1;
typedef struct { SHA256_CTX context; } clibcrypto_sha256;

static inline void clibcrypto_sha1_start(clibcrypto_sha1 *hash) { SHA1_Init(&hash->context); }
static inline void clibcrypto_sha1_add(clibcrypto_sha1 *hash, const void *bytes, size_t count) {
    SHA1_Update(&hash->context, bytes, count);
}
static inline void clibcrypto_sha1_finish(clibcrypto_sha1 *hash, unsigned char *digest) {
    SHA1_Final(digest, &hash->context);
}
static inline void clibcrypto_sha256_start(clibcrypto_sha256 *hash) { SHA256_Init(&hash->context); }
static inline void clibcrypto_sha256_add(clibcrypto_sha256 *hash, const void *bytes, size_t count) {
    SHA256_Update(&hash->context, bytes, count);
}
static inline void clibcrypto_sha256_finish(clibcrypto_sha256 *hash, unsigned char *digest) {
    SHA256_Final(digest, &hash->context);
}

/* The words of a hash whose bytes so far are whole blocks, how many bytes of a block wait in it, and a note that blocks
   were added to the words by somebody else. */
static inline uint32_t *clibcrypto_sha1_words(clibcrypto_sha1 *hash) { return &hash->context.h0; }
static inline uint32_t *clibcrypto_sha256_words(clibcrypto_sha256 *hash) { return hash->context.h; }
static inline size_t clibcrypto_sha1_waiting(const clibcrypto_sha1 *hash) { return hash->context.num; }
static inline size_t clibcrypto_sha256_waiting(const clibcrypto_sha256 *hash) { return hash->context.num; }
static inline void clibcrypto_count_blocks(SHA_LONG *low, SHA_LONG *high, uint64_t blocks) {
    uint64_t bits = ((uint64_t)*high << 32 | *low) + blocks * 512;
    *low = (SHA_LONG)bits;
    *high = (SHA_LONG)(bits >> 32);
}
static inline void clibcrypto_sha1_added(clibcrypto_sha1 *hash, uint64_t blocks) {
    clibcrypto_count_blocks(&hash->context.Nl, &hash->context.Nh, blocks);
}
static inline void clibcrypto_sha256_added(clibcrypto_sha256 *hash, uint64_t blocks) {
    clibcrypto_count_blocks(&hash->context.Nl, &hash->context.Nh, blocks);
}
#endif
