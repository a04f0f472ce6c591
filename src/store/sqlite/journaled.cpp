#include "store/sqlite/journaled.hpp"

#include "base/limits.hpp"
#include "base/log.hpp"
#include "store/sqlite/file.hpp"
#include "store/sqlite/schema.hpp"
#include "store/sqlite/whole.hpp"

#include <algorithm>

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

Status check_follows(const LogHead& head, const EventBatch& batch) {
    if (!batch.empty() && batch.epoch == head.epoch && batch.first == head.offset + 1 &&
        batch.prev_hash == head.hash)
        return Done{};
    return fail(Errc::storage_damaged, "event " + std::to_string(batch.first) +
                                           " does not follow the log's end, " +
                                           std::to_string(head.offset));
}

}  // namespace

Result<std::unique_ptr<Journaled>> Journaled::open(JournaledOptions options, Random& random) {
    if (!options.on_fatal) options.on_fatal = exit_at_once;
    CHECK(options.journal_file_bytes % 4096 == 0 && options.journal_file_bytes >= 8192);
    std::unique_ptr<Journaled> store(new Journaled(options));
    Status done = store->open_files(random);
    if (done && store->db_->is_plain()) {  // once: it has seals then
        done = store->seal_database();
        store.reset(new Journaled(std::move(options)));
        if (done) done = store->open_files(random);
    }
    if (!done) return done.error();
    auto to_index = store->search_->prepare();
    if (!to_index) return to_index.error();
    store->to_index_ = *std::move(to_index);
    return store;
}

// Nothing is written to a store before all of it was found good.
Status Journaled::open_files(Random& random) {
    Status done = open_database(random);
    if (done) done = open_journal();
    if (done) done = settle_rollback_journal();
    if (!done || db_->is_plain()) return done;
    const auto version = db_->number("PRAGMA user_version");
    if (!version) return version.error();
    if (*version == schema_version()) return Done{};
    done = migrate(*db_);
    return done && *version < kSealedSince ? db_->count_transactions() : done;
}

Journaled::~Journaled() = default;

void Journaled::stop(const Error& error) {
    options_.on_fatal(
        "the disk did not confirm a write, so the server stops: what is stored is "
        "read again when it starts. " +
        error.to_string());
    check_failed("on_fatal does not return", __FILE__, __LINE__);
}

void Journaled::stop_if_sync_failed(const Error& error) {
    if (db_->sync_failed()) stop(error);
}

// SQLite ends a transaction by zeroing the header of its rollback journal. If the sync of that
// failed, the header is shown as zeros and may still be there on the disk; the next transaction
// would write over what a power cut would then roll back with. So what is shown is made durable
// first.
Status Journaled::settle_rollback_journal() {
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

Status Journaled::open_database(Random& random) {
    const auto found = look_at_files(find_vfs(options_.vfs), options_.database);
    if (!found) return found.error();
    auto opened = Connection::open({.path = options_.database,
                                    .vfs = options_.vfs,
                                    .store_id = random.next_u64(),
                                    .page_bytes = options_.page_bytes,
                                    .extra_pragmas = options_.extra_pragmas});
    if (!opened) return opened.error();
    db_ = std::move(*opened);
    log_.emplace(*db_, options_.segments);
    expired_.emplace(*db_);
    projections_.emplace(*db_);
    queries_.emplace(*db_, *log_);
    search_.emplace(*db_);
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
        if (done) done = log_->check_users();
        if (!done) return done;
    }
    return know_store_id();
}

// The seals, the journals and a row have it.
Status Journaled::know_store_id() {
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
Status Journaled::has_no_user() {
    const auto users = db_->number("SELECT count(*) FROM users");
    if (!users) return users.error();
    if (*users == 0) return Done{};
    return fail(Errc::storage_damaged, options_.database +
                                           ": has users, but says that its journals were never "
                                           "made; " +
                                           kDamageAdvice);
}

Status Journaled::open_journal() {
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
    auto journal = Journal::open(place, static_cast<std::uint64_t>(*applied),
                                 [this](std::string_view payload, std::size_t record_bytes) {
                                     return replay(payload, record_bytes);
                                 });
    if (!journal) return journal.error();
    journal_ = std::move(*journal);
    return Done{};
}

Status Journaled::replay(std::string_view payload, std::size_t record_bytes) {
    while (!payload.empty()) {
        const auto entry = take_entry(payload);
        if (!entry) return fail(Errc::storage_damaged, options_.database + ": journal entry");
        Result<EventBatch> batch = decode_batch(entry->batch);
        if (!batch) return batch.error();
        const Result<UserLog*> log = find_or_make_log(std::string(entry->user));
        if (!log) return log.error();
        LogHead& head = (*log)->head;
        if (head.offset == 0) {  // older versions chose the epoch with the first event
            head.epoch = batch->epoch;
            head.hash = genesis_hash(entry->user, batch->epoch);
        }
        const Status follows = check_follows(head, *batch);
        if (!follows) return follows;
        head = batch->head();
        for (const EventEntry& entry_of : batch->entries)
            (*log)->recent.add(entry_of.operation_key);
        keep(**log, {.batch = std::make_shared<const EventBatch>(*std::move(batch)),
                     .changes = {},
                     .record_bytes = std::exchange(record_bytes, 0)});
    }
    return Done{};
}

Result<UserLog*> Journaled::find_log(const std::string& user_id) {
    const auto at = logs_.find(user_id);
    if (at != logs_.end()) return at->second.get();
    static_cast<void>(settle());
    const auto stored = log_->find(user_id);
    if (!stored) return stored.error();
    if (!*stored) return static_cast<UserLog*>(nullptr);
    auto log = std::make_unique<UserLog>();
    log->name = user_id;
    log->id = (*stored)->user;
    log->head = (*stored)->head;
    log->first_kept = (*stored)->first_kept;
    return logs_.emplace(user_id, std::move(log)).first->second.get();
}

Result<UserLog*> Journaled::find_or_make_log(const std::string& user_id) {
    const Result<UserLog*> found = find_log(user_id);
    if (!found || *found != nullptr) return found;
    auto log = std::make_unique<UserLog>();
    log->name = user_id;
    log->head = first_head(user_id, epoch_seed_);
    return logs_.emplace(user_id, std::move(log)).first->second.get();
}

void Journaled::keep(UserLog& log, Unapplied unapplied) {
    if (log.unapplied.empty()) dirty_.push_back(&log);
    unapplied_bytes_ += unapplied.record_bytes;
    log.unapplied.push_back(std::move(unapplied));
}

bool Journaled::tidy() {
    constexpr std::size_t kContextsAtOnce = 32;
    if (applying_ || apply_problem_ || to_index_.empty()) return false;
    Transaction transaction(*db_);
    const Status begun = transaction.begin();
    const Result<bool> more = begun ? search_->index_some(*to_index_.begin(), kContextsAtOnce)
                                    : Result<bool>(begun.error());
    const Status done = more ? transaction.commit() : Status(more.error());
    if (!done) {
        stop_if_sync_failed(done.error());
        log::warn(kScope, "search index: " + done.error().to_string());
        to_index_.clear();  // a search catches up by itself
        return false;
    }
    if (!*more) to_index_.erase(to_index_.begin());
    return !to_index_.empty();
}

void Journaled::release_idle_logs() {
    if (applying_) return;  // it refers to them
    if (logs_.size() <= static_cast<std::size_t>(limits::users_active_max)) return;
    std::erase_if(logs_, [](const auto& entry) { return entry.second->unapplied.empty(); });
}

}  // namespace dyad::sqlite
