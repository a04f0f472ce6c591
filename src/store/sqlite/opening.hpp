// Opens the files of an embedded store, makes them where there are none, and brings what an older
// version wrote up to this one. Nothing is written to a store before all of it was found good.
#pragma once

#include "base/clock.hpp"
#include "store/sqlite/commit_log.hpp"
#include "store/sqlite/reads.hpp"
#include "store/sqlite/store_options.hpp"
#include "store/sqlite/tables.hpp"

#include <memory>

namespace dyad::sqlite {

// The parts of a store, for one thread that calls them in turn, or for Database's two.
struct OpenedStore {
    std::unique_ptr<Tables> tables;
    std::unique_ptr<CommitLog> commits;
};

// What the journal has and the tables have not is taken, and not yet applied.
// Errors: storage_unavailable, storage_damaged, storage_newer, storage_locked, storage_full.
Result<OpenedStore> open_store(StoreOptions options, Random& random);

}  // namespace dyad::sqlite
