#include "store/sqlite/opening.hpp"

#include "base/log.hpp"
#include "store/sqlite/file.hpp"
#include "store/sqlite/schema.hpp"
#include "store/sqlite/sealing.hpp"
#include "store/sqlite/whole.hpp"

#include <sqlite3.h>
#include <unistd.h>

namespace dyad::sqlite {
namespace {

constexpr std::string_view kScope = "sqlite";
constexpr int kExitIoError = 74;  // EX_IOERR of sysexits

void exit_at_once(const std::string& text) {
    log::error(kScope, text);
    _exit(kExitIoError);
}

class Opening {
  public:
    Opening(StoreOptions options, Random& random) : options_(std::move(options)), random_(random) {}

    Status open_files();
    // Its pages get checksums, once; then it is to be opened anew.
    bool is_plain() const { return db_->is_plain(); }
    Status seal() { return seal_database(*db_, store_id_); }
    OpenedStore finish() && {
        return {std::move(tables_), std::make_unique<CommitLog>(std::move(journal_), options_)};
    }

  private:
    Status settle_rollback_journal();
    Status open_database();
    Status know_store_id();
    Status has_no_user();
    Status open_journal();

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
    Status done = open_database();
    if (done) done = open_journal();
    if (done) done = settle_rollback_journal();
    if (!done || db_->is_plain()) return done;
    const auto version = db_->number("PRAGMA user_version");
    if (!version) return version.error();
    if (*version == schema_version()) return Done{};
    done = migrate(*db_);
    return done && *version < kSealedSince ? db_->count_transactions() : done;
}

// SQLite ends a transaction by zeroing the header of its rollback journal. If the sync of that
// failed, the header is shown as zeros and may still be there on the disk; the next transaction
// would write over what a power cut would then roll back with. So what is shown is made durable
// first.
Status Opening::settle_rollback_journal() {
    constexpr std::size_t kHeaderBytes = 28;  // SQLite file format, 3. "The Rollback Journal"
    const std::string path = options_.database + "-journal";
    const auto bytes = File::look(db_->vfs(), path);
    if (!bytes || bytes->value_or(0) == 0) return bytes ? Status(Done{}) : Status(bytes.error());
    const auto file = File::open(db_->vfs(), path, false);
    if (!file) return file.error();
    const Result<std::string> header = (*file)->read(0, kHeaderBytes);
    if (!header) return header.error();
    if (header->front() != '\0') return Done{};  // SQLite rolls it back now
    Status done = (*file)->write(0, *header);
    if (done) done = (*file)->sync();
    return done;
}

Status Opening::open_database() {
    const auto found = look_at_files(find_vfs(options_.vfs), options_.database);
    if (!found) return found.error();
    auto opened = Connection::open({.path = options_.database,
                                    .vfs = options_.vfs,
                                    .store_id = random_.next_u64(),
                                    .page_bytes = options_.page_bytes,
                                    .extra_pragmas = options_.extra_pragmas});
    if (!opened) return opened.error();
    connection_ = std::move(*opened);
    db_ = connection_.get();
    auto version = db_->number("PRAGMA user_version");
    if (version && *version == 0) {  // a first start
        Status done = settle_rollback_journal();
        if (done) done = migrate(*db_);
        if (!done) return done;
        version = schema_version();
    }
    if (!version) return version.error();
    if (*version >= kSealedSince) {
        Status done = db_->count_transactions();
        if (done) done = LogTables(*db_, options_.segments).check_users();
        if (!done) return done;
    }
    return know_store_id();
}

// The seals, the journals and a row have it.
Status Opening::know_store_id() {
    const auto ids = db_->number("SELECT count(*) FROM meta WHERE key = 'store_id'");
    if (!ids) return ids.error();
    if (*ids == 0) {
        Status done = settle_rollback_journal();
        if (done)
            done =
                db_->execute("INSERT INTO meta(key, value) VALUES('store_id', ?)", db_->store_id());
        if (!done) return done;
    }
    const auto id = db_->number("SELECT value FROM meta WHERE key = 'store_id'");
    if (!id) return id.error();
    store_id_ = static_cast<std::uint64_t>(*id);
    const auto seed = db_->number("SELECT value FROM meta WHERE key = 'epoch_seed'");
    if (!seed) return seed.error();
    epoch_seed_ =
        *seed != 0 ? static_cast<std::uint64_t>(*seed) : options_.epoch_seed.value_or(store_id_);
    if (db_->is_plain() || store_id_ == db_->store_id()) return Done{};
    return fail(
        Errc::storage_damaged,
        options_.database + ": its pages are of another store than it says; " + kDamageAdvice);
}

// Journals are only made for a store that never had any.
Status Opening::has_no_user() {
    const auto users = db_->number("SELECT count(*) FROM users");
    if (!users) return users.error();
    if (*users == 0) return Done{};
    return fail(Errc::storage_damaged, options_.database +
                                           ": has users, but says that its journals were never "
                                           "made; " +
                                           kDamageAdvice);
}

Status Opening::open_journal() {
    const Journal::Place place{
        .vfs = &db_->vfs(), .database = options_.database, .store_id = store_id_};
    const auto made = db_->number("SELECT value FROM meta WHERE key = 'journal_made'");
    if (!made) return made.error();
    if (*made == 0) {
        Status done = has_no_user();
        if (done) done = settle_rollback_journal();
        if (done) done = Journal::create(place, options_.journal_file_bytes);
        if (done) done = db_->execute("INSERT INTO meta(key, value) VALUES('journal_made', 1)");
        if (!done) return done;
    }
    const auto applied = db_->number("SELECT value FROM meta WHERE key = 'applied'");
    if (!applied) return applied.error();
    auto sequence = static_cast<std::uint64_t>(*applied);
    tables_ = std::make_unique<Tables>(std::move(connection_), options_, epoch_seed_, sequence);
    auto journal =
        Journal::open(place, sequence, [&](std::string_view payload, std::size_t record_bytes) {
            return tables_->replay(payload, record_bytes, ++sequence);
        });
    if (!journal) return journal.error();
    journal_ = std::move(*journal);
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
    Status done = opening->open_files();
    if (done && opening->is_plain()) {
        done = opening->seal();
        opening.emplace(std::move(options), random);
        if (done) done = opening->open_files();
    }
    if (!done) return done.error();
    OpenedStore store = std::move(*opening).finish();
    done = store.tables->prepare();
    if (!done) return done.error();
    return store;
}

}  // namespace dyad::sqlite
