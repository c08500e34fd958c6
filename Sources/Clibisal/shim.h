#ifndef CLIBISAL_SHIM_H
#define CLIBISAL_SHIM_H
#include <isa-l/igzip_lib.h>
#include <stdlib.h>
#include <string.h>

/* A stream with its buffer, in one piece that Swift need not know the size of. */
struct clibisal_compressor {
    struct isal_zstream stream;
    uint8_t buffer[ISAL_DEF_LVL1_DEFAULT];
};
static inline void *clibisal_allocate_compressor(void) {
    return malloc(sizeof(struct clibisal_compressor));
}
static inline void clibisal_free_compressor(void *compressor) {
    free(compressor);
}
/* Samples of what is to be compressed, and the Huffman tables that were made of samples before. */
struct clibisal_tables {
    struct isal_huff_histogram samples;
    struct isal_hufftables tables;
};
static inline void *clibisal_allocate_tables(void) {
    return calloc(1, sizeof(struct clibisal_tables));
}
static inline void clibisal_free_tables(void *tables) {
    free(tables);
}
static inline void clibisal_add_sample(void *tables, const void *in, size_t in_size) {
    isal_update_histogram((uint8_t *)in, (int)in_size, &((struct clibisal_tables *)tables)->samples);
}
/* Makes tables of the samples, which have a code for every byte, and forgets them. */
static inline void clibisal_make_tables(void *tables) {
    struct clibisal_tables *both = (struct clibisal_tables *)tables;
    isal_create_hufftables(&both->tables, &both->samples);
    memset(&both->samples, 0, sizeof(both->samples));
}
/* Writes a zlib stream and returns its length, or 0 when it does not fit or the input has 4 GB: of level 1 with tables of its
   own for `tables` NULL, else in one pass with those that were made. */
static inline size_t clibisal_zlib_compress(void *compressor, void *tables, const void *in, size_t in_size, void *out, size_t out_size) {
    struct isal_zstream *stream = &((struct clibisal_compressor *)compressor)->stream;
    if (in_size > UINT32_MAX) return 0;
    isal_deflate_stateless_init(stream);
    if (tables) {
        stream->level = 0;
        stream->hufftables = &((struct clibisal_tables *)tables)->tables;
    } else {
        stream->level = 1;
        stream->level_buf = ((struct clibisal_compressor *)compressor)->buffer;
        stream->level_buf_size = ISAL_DEF_LVL1_DEFAULT;
    }
    stream->gzip_flag = IGZIP_ZLIB;
    stream->end_of_stream = 1;
    stream->next_in = (uint8_t *)in;
    stream->avail_in = (uint32_t)in_size;
    stream->next_out = (uint8_t *)out;
    stream->avail_out = out_size > UINT32_MAX ? UINT32_MAX : (uint32_t)out_size;
    return isal_deflate_stateless(stream) == COMP_OK ? stream->total_out : 0;
}
#endif
