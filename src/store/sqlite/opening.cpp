#include "store/sqlite/opening.hpp"

#include "base/log.hpp"
#include "store/sqlite/folder.hpp"
#include "store/sqlite/schema.hpp"
#include "store/sqlite/whole.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

namespace dyad::sqlite {
namespace {

constexpr std::string_view kScope = "sqlite";
constexpr int kExitIoError = 74;  // EX_IOERR of sysexits

void exit_at_once(const std::string& text) {
    log::error(kScope, text);
    _exit(kExitIoError);
}

Error failed(const std::string& path, const char* what) {
    return fail(Errc::storage_unavailable, path + ": " + what + " failed: " + std::strerror(errno));
}

class Opening {
  public:
    Opening(StoreOptions options, Random& random) : options_(std::move(options)), random_(random) {}

    Status open_files();
    bool is_plain() const { return db_->is_plain(); }
    // A database of a version before seals: checks it as far as it can be checked, puts one with
    // seals in its place, and closes it. Then it is to be opened anew.
    Status seal();
    OpenedStore finish() && {
        return {std::move(tables_), std::make_unique<CommitLog>(std::move(journal_), options_)};
    }

  private:
    Status settle_rollback_journal();
    Status open_database();
    Status know_store_id();
    Status has_no_user();
    Status open_journal();
    Status check_plain();
    Status write_sealed(const std::string& path);

    StoreOptions options_;
    Random& random_;
    std::uint64_t store_id_ = 0;
    std::uint64_t epoch_seed_ = 0;  // the store's id, until a restore
    std::unique_ptr<Connection> connection_;
    Connection* db_ = nullptr;  // its owner may be the tables
    std::unique_ptr<Tables> tables_;
    std::unique_ptr<Journal> journal_;
};

Status Opening::open_files() {
    TRY(open_database());
    TRY(open_journal());
    TRY(settle_rollback_journal());
    if (db_->is_plain()) return Done{};
    ASSIGN_OR_RETURN(const auto version, db_->number("PRAGMA user_version"));
    TRY(migrate(*db_));
    return version < kSealedSince ? db_->count_transactions() : Done{};
}

// SQLite ends a transaction by zeroing the header of its rollback journal. If the sync of that
// failed, the header is shown as zeros and may still be there on the disk; the next transaction
// would write over what a power cut would then roll back with. So what is shown is made durable
// first.
Status Opening::settle_rollback_journal() {
    const std::string path = options_.database + "-journal";
    ASSIGN_OR_RETURN(const auto bytes, File::look(db_->vfs(), path));
    if (bytes.value_or(0) == 0) return Done{};
    ASSIGN_OR_RETURN(const auto file, File::open(db_->vfs(), path, false));
    ASSIGN_OR_RETURN(const std::string header, file->read(0, kRollbackHeaderBytes));
    if (header.front() != '\0') return Done{};  // SQLite rolls it back now
    TRY(file->write(0, header));
    return file->sync();
}

Status Opening::open_database() {
    TRY(look_at_files(find_vfs(options_.vfs), options_.database));
    ASSIGN_OR_RETURN(connection_, Connection::open({.path = options_.database,
                                                    .vfs = options_.vfs,
                                                    .store_id = random_.next_u64(),
                                                    .page_bytes = options_.page_bytes,
                                                    .extra_pragmas = options_.extra_pragmas}));
    db_ = connection_.get();
    ASSIGN_OR_RETURN(auto version, db_->number("PRAGMA user_version"));
    if (version == 0) {  // a first start
        TRY(settle_rollback_journal());
        TRY(migrate(*db_));
        version = schema_version();
    }
    if (version >= kSealedSince) {
        TRY(db_->count_transactions());
        TRY(LogTables(*db_, options_.segments).check_users());
    }
    return know_store_id();
}

// The seals, the journals and a row have it.
Status Opening::know_store_id() {
    ASSIGN_OR_RETURN(const auto ids,
                     db_->number("SELECT count(*) FROM meta WHERE key = 'store_id'"));
    if (ids == 0) {
        TRY(settle_rollback_journal());
        TRY(db_->set_meta("store_id", db_->store_id()));
    }
    ASSIGN_OR_RETURN(const auto id, db_->meta("store_id"));
    store_id_ = static_cast<std::uint64_t>(id);
    ASSIGN_OR_RETURN(const auto seed, db_->meta("epoch_seed"));
    epoch_seed_ =
        seed != 0 ? static_cast<std::uint64_t>(seed) : options_.epoch_seed.value_or(store_id_);
    if (db_->is_plain() || store_id_ == db_->store_id()) return Done{};
    return fail(
        Errc::storage_damaged,
        options_.database + ": its pages are of another store than it says; " + kDamageAdvice);
}

// Journals are only made for a store that never had any.
Status Opening::has_no_user() {
    ASSIGN_OR_RETURN(const auto users, db_->number("SELECT count(*) FROM users"));
    if (users == 0) return Done{};
    return fail(Errc::storage_damaged, options_.database +
                                           ": has users, but says that its journals were never "
                                           "made; " +
                                           kDamageAdvice);
}

Status Opening::open_journal() {
    const Journal::Place place{
        .vfs = &db_->vfs(), .database = options_.database, .store_id = store_id_};
    ASSIGN_OR_RETURN(const auto made, db_->meta("journal_made"));
    if (made == 0) {
        TRY(has_no_user());
        TRY(settle_rollback_journal());
        TRY(Journal::create(place, options_.journal_file_bytes));
        TRY(db_->set_meta("journal_made", 1));
    }
    ASSIGN_OR_RETURN(const auto applied, db_->meta("applied"));
    auto sequence = static_cast<std::uint64_t>(applied);
    tables_ = std::make_unique<Tables>(std::move(connection_), options_, epoch_seed_, sequence);
    ASSIGN_OR_RETURN(
        journal_, Journal::open(place, sequence, [&](std::string_view payload, std::size_t bytes) {
            return tables_->replay(payload, bytes, ++sequence);
        }));
    return Done{};
}

// SQLite's own check is of its trees, not of what the rows say.
Status Opening::check_plain() {
    ASSIGN_OR_RETURN(const auto said, db_->text("PRAGMA integrity_check(1)"));
    if (said != "ok")
        return fail(Errc::storage_damaged,
                    db_->path() + ": " + said.value_or("") + "; " + kDamageAdvice);
    LogTables log_tables(*db_, {});
    std::size_t users = 0;
    for (std::int64_t user = 0;; ++users) {
        ASSIGN_OR_RETURN(const auto log, log_tables.next_user(user));
        if (!log) break;
        user = log->user;
        TRY(log_tables.verify(*log));
    }
    log::info(kScope, db_->path() + ": found good, with " + std::to_string(users) +
                          " users; it is written anew");
    return Done{};
}

Status Opening::write_sealed(const std::string& path) {
    (void)::unlink(path.c_str());  // of an attempt that was broken off
    const int made = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (made < 0) return failed(path, "making");
    ::close(made);
    db_->set_store_id(store_id_);
    TRY(db_->execute("VACUUM INTO ?", path));
    ASSIGN_OR_RETURN(const auto file, File::open(db_->vfs(), path, false));
    return file->sync();
}

Status Opening::seal() {
    log::info(kScope, db_->path() +
                          ": an older version wrote it; it is checked, and written anew with "
                          "checksums, once; large ones take minutes");
    TRY(check_plain());
    const std::string path = db_->path() + "-sealed";
    if (const Status done = write_sealed(path); !done) {
        (void)::unlink(path.c_str());
        return done;
    }
    db_->close();
    // Before it, the old one is whole; after it, the new one.
    if (std::rename(path.c_str(), db_->path().c_str()) != 0) return failed(path, "renaming");
    sync_folder(db_->path().substr(0, db_->path().rfind('/')));
    log::info(kScope, db_->path() + ": it has checksums now");
    return Done{};
}

}  // namespace

void stop_store(const StoreOptions& options, const Error& error) {
    options.on_fatal(
        "the disk did not confirm a write, so the server stops: what is stored is "
        "read again when it starts. " +
        error.to_string());
    check_failed("on_fatal does not return", __FILE__, __LINE__);
}

Result<OpenedStore> open_store(StoreOptions options, Random& random) {
    if (!options.on_fatal) options.on_fatal = exit_at_once;
    CHECK(options.journal_file_bytes % 4096 == 0 && options.journal_file_bytes >= 8192);
    std::optional<Opening> opening(std::in_place, options, random);
    TRY(opening->open_files());
    if (opening->is_plain()) {
        TRY(opening->seal());
        opening.emplace(std::move(options), random);
        TRY(opening->open_files());
    }
    OpenedStore store = std::move(*opening).finish();
    TRY(store.tables->prepare());
    return store;
}

}  // namespace dyad::sqlite
