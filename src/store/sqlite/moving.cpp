#include "store/sqlite/moving.hpp"

#include "store/sqlite/folder.hpp"
#include "store/sqlite/opening.hpp"

namespace dyad::sqlite {

Result<std::unique_ptr<MemoryReader>> MemoryReader::open(const std::string& folder,
                                                         Random& random) {
    std::unique_ptr<MemoryReader> reader(new MemoryReader);
    reader->disk_ = std::make_unique<UntouchedVfs>();
    StoreOptions options;
    options.database = folder + "/" + kDatabaseName;
    options.vfs = reader->disk_->name();
    ASSIGN_OR_RETURN(OpenedStore store, open_store(std::move(options), random));
    reader->tables_ = std::move(store.tables);
    TRY(reader->tables_->apply());
    reader->db_ = &reader->tables_->connection();
    return reader;
}

Result<std::unique_ptr<MemoryReader>> MemoryReader::open_copy(const std::string& folder) {
    std::unique_ptr<MemoryReader> reader(new MemoryReader);
    ASSIGN_OR_RETURN(reader->copy_, Connection::open({.path = folder + "/" + kDatabaseName}));
    reader->db_ = reader->copy_.get();
    TRY(reader->log().check_users());
    return reader;
}

MemoryReader::~MemoryReader() = default;

Result<std::uint64_t> MemoryReader::epoch_seed() {
    ASSIGN_OR_RETURN(const std::int64_t seed, db_->meta("epoch_seed"));
    return seed != 0 ? static_cast<std::uint64_t>(seed) : db_->store_id();
}

Result<StoredHead> MemoryReader::head(const std::string& user) {
    ASSIGN_OR_RETURN(const auto found, log().find(user));
    if (found) return *found;
    return fail(Errc::storage_damaged, "the log of user " + user + " is missing");
}

Result<State> MemoryReader::state(std::int64_t user) {
    State state;
    TRY(Projections(*db_).load(user, state));
    return state;
}

Status MemoryReader::transitions(std::int64_t user,
                                 const std::function<Status(Offset, std::string_view json)>& take) {
    Rows rows =
        db_->query("SELECT offset, json FROM mode_transition WHERE user = ? ORDER BY offset", user);
    while (rows.next())
        TRY(take(rows.natural(0), rows.text(1)));
    return rows.status();
}

Status MemoryReader::responses(std::int64_t user,
                               const std::function<Status(Offset, std::string_view json)>& take) {
    Rows rows =
        db_->query("SELECT offset, json FROM response WHERE user = ? ORDER BY offset", user);
    while (rows.next())
        TRY(take(rows.natural(0), rows.text(1)));
    return rows.status();
}

Status MemoryReader::expired(std::int64_t user,
                             const std::function<Status(const ExpiredKeys&)>& take) {
    Rows rows = db_->query(
        "SELECT instance, last_offset, keys FROM expired_operations WHERE user = ?", user);
    while (rows.next())
        TRY(take({.instance = rows.natural(0), .last = rows.natural(1), .keys = rows.text(2)}));
    return rows.status();
}

Status MemoryReader::events(const StoredHead& log,
                            const std::function<Status(const EventBatch&)>& take) {
    Offset next = log.first_kept;
    std::optional<LogHead> end;
    EventBatch batch;
    LogTables tables = this->log();
    for (;;) {
        ASSIGN_OR_RETURN(const bool more, tables.check_segment(log, next, end, batch));
        if (!more) return Done{};
        TRY(take(batch));
    }
}

Result<std::unique_ptr<MemoryWriter>> MemoryWriter::make(const std::string& folder,
                                                         std::uint64_t epoch_seed, Random& random) {
    StoreOptions options;
    options.database = folder + "/" + kDatabaseName;
    TRY(open_store(options, random));  // as a first start makes it
    ASSIGN_OR_RETURN(auto to, Connection::open({.path = options.database}));
    TRY(to->count_transactions());
    TRY(to->transact([&] { return to->set_meta("epoch_seed", epoch_seed); }));
    return std::unique_ptr<MemoryWriter>(new MemoryWriter(std::move(to)));
}

Status MemoryWriter::user(const std::string& name, const std::function<Status()>& write) {
    return db_->transact([&]() -> Status {
        ASSIGN_OR_RETURN(user_, log_.add_user(name));
        return write();
    });
}

Status MemoryWriter::context(const Context& context) {
    std::string json;
    write_context(json, context);
    return db_->execute(
        "INSERT INTO context(user, key, offset, deleted, expires_at, json) "
        "VALUES(?, ?, ?, ?, ?, ?)",
        user_, context.key, context.offset, context.deleted ? 1 : 0, context.expires_at_ms, json);
}

Status MemoryWriter::mode(const std::string& instance, std::string_view json) {
    return db_->execute("INSERT INTO mode_state(user, instance, json) VALUES(?, ?, ?)", user_,
                        instance, json);
}

Status MemoryWriter::conflict(const std::string& id, std::string_view json) {
    return db_->execute("INSERT INTO conflict(user, id, json) VALUES(?, ?, ?)", user_, id, json);
}

Status MemoryWriter::claim(Offset offset, std::string_view json) {
    ASSIGN_OR_RETURN(const Claim claim, read_claim(json));
    return db_->execute(
        "INSERT INTO claim(user, resource, offset, expires_at, json) VALUES(?, ?, ?, ?, ?)", user_,
        claim.resource, offset, claim.expires_at_ms, json);
}

Status MemoryWriter::transition(Offset offset, const std::string& instance, std::string_view json) {
    return db_->execute(
        "INSERT INTO mode_transition(user, offset, instance, json) VALUES(?, ?, ?, ?)", user_,
        offset, instance, json);
}

Status MemoryWriter::response(const ResponseRecord& record) {
    std::string json;
    write_response(json, record);
    return db_->execute(
        "INSERT INTO response(user, chat, message, offset, json) VALUES(?, ?, ?, ?, ?)", user_,
        record.chat_id, record.message_id, record.offset, json);
}

Status MemoryWriter::expired(const ExpiredKeys& keys) {
    return db_->execute(
        "INSERT INTO expired_operations(user, instance, last_offset, keys) VALUES(?, ?, ?, ?)",
        user_, keys.instance, keys.last, Value::blob(keys.keys));
}

Result<std::optional<Context>> MemoryWriter::find(const std::string& key) {
    ASSIGN_OR_RETURN(const auto json,
                     db_->text("SELECT json FROM context WHERE user = ? AND key = ?", user_, key));
    if (!json) return std::optional<Context>();
    ASSIGN_OR_RETURN(Context context, read_context(*json));
    return std::optional(std::move(context));
}

Status MemoryWriter::events(EventBatchPtr batch) {
    Unapplied next{.batch = std::move(batch), .changes = {}};
    TRY(next.decode());
    TRY(log_.append(user_, std::span(&next, 1), next.batch->head()));
    return projections_.apply(user_, std::span(&next, 1));
}

Status MemoryWriter::finish(const LogHead& head, Offset first_kept, Version forgotten) {
    if (first_kept > head.offset) TRY(log_.append(user_, {}, head));
    for (bool more = true; more;) {
        ASSIGN_OR_RETURN(more, index_.follow(user_));
    }
    if (forgotten != 0)
        TRY(db_->execute("INSERT OR REPLACE INTO meta(key, value) VALUES('forgotten:' || ?, ?)",
                         user_, forgotten));
    return projections_.take_rows(user_, first_kept);
}

}  // namespace dyad::sqlite
