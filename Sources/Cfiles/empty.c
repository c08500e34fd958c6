#include "Cfiles.h"
