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
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

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

/* Whether a chain, its first certificate the end, leads to one of the roots; *reason is OpenSSL's word for why not. Times
   are not looked at. Stacks of OpenSSL are macros, which Swift cannot see. */
static inline int clibcrypto_check_chain(
    X509 *const *chain, int chain_count, X509 *const *roots, int root_count, const char **reason
) {
    int result = 0;
    *reason = "no memory";
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    STACK_OF(X509) *others = sk_X509_new_null();
    if (store && context && others) {
        int is_ready = 1;
        for (int index = 0; index < root_count; index++) is_ready &= X509_STORE_add_cert(store, roots[index]);
        for (int index = 1; index < chain_count; index++) is_ready &= sk_X509_push(others, chain[index]) > 0;
        X509_STORE_set_flags(store, X509_V_FLAG_NO_CHECK_TIME | X509_V_FLAG_PARTIAL_CHAIN);
        if (is_ready && X509_STORE_CTX_init(context, store, chain[0], others)) {
            result = X509_verify_cert(context) == 1;
            *reason = X509_verify_cert_error_string(X509_STORE_CTX_get_error(context));
        }
    }
    sk_X509_free(others);
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    ERR_clear_error();
    return result;
}
#endif
