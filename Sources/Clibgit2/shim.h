#ifndef CLIBGIT2_SHIM_H
#define CLIBGIT2_SHIM_H
/* libgit2 is not linked to but loaded, when something is first needed that only it can do: most commands never come to
   that, and the five libraries that come with it were a tenth of the time in which a short command is done. */
#include <dlfcn.h>
#include <git2.h>

/* All that we call of it. */
#define CLIBGIT2_FUNCTIONS(F)                                                                          \
    F(git_config_free) F(git_config_get_string) F(git_config_set_string) F(git_error_clear)            \
    F(git_error_last) F(git_libgit2_init) F(git_libgit2_opts) F(git_odb_free) F(git_odb_object_data)   \
    F(git_odb_object_free) F(git_odb_object_size) F(git_odb_object_type) F(git_odb_open)               \
    F(git_odb_read) F(git_reference_delete) F(git_reference_free) F(git_reference_lookup)              \
    F(git_reference_target) F(git_repository_config) F(git_repository_config_snapshot)                 \
    F(git_repository_free) F(git_repository_init) F(git_repository_open_bare)                          \
    F(git_repository_set_head)

struct clibgit2 {
#define CLIBGIT2_FIELD(name) __typeof__(name) *name;
    CLIBGIT2_FUNCTIONS(CLIBGIT2_FIELD)
#undef CLIBGIT2_FIELD
};

/* Loads the library of the version that this was built for; NULL, or why it cannot be. */
static inline const char *clibgit2_load(struct clibgit2 *library) {
    void *handle = dlopen("libgit2.so." LIBGIT2_SOVERSION, RTLD_NOW | RTLD_LOCAL);
    if (!handle) return dlerror();
#define CLIBGIT2_FIND(name) if (!(*(void **)&library->name = dlsym(handle, #name))) return dlerror();
    CLIBGIT2_FUNCTIONS(CLIBGIT2_FIND)
#undef CLIBGIT2_FIND
    return NULL;
}

/* git_libgit2_opts() is variadic, which Swift cannot call. */
static inline int clibgit2_set_owner_validation(const struct clibgit2 *library, int enabled) {
    return library->git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, enabled);
}
/* Without this libgit2 does not fsync the references it writes. */
static inline int clibgit2_set_fsync_gitdir(const struct clibgit2 *library, int enabled) {
    return library->git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, enabled);
}
/* Where libgit2 looks for configuration of one level (git_config_level_t); "" for nowhere. */
static inline int clibgit2_set_search_path(const struct clibgit2 *library, int level, const char *path) {
    return library->git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, level, path);
}
#endif
