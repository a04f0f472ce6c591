#include "store/sqlite/salvage.hpp"

#include "base/hash64.hpp"
#include "store/sqlite/opening.hpp"
#include "store/sqlite/salvage_log.hpp"
#include "store/sqlite/schema.hpp"

#include <algorithm>
#include <tuple>

namespace dyad::sqlite {
namespace {

constexpr const char* kOnDamagedPage = "its row stands on a damaged page";

// What is said of something by a row that cannot be believed.
struct Witness {
    std::uint64_t had = 0;
    std::string why;
};

std::uint64_t natural(const RawValue& value) {
    return static_cast<std::uint64_t>(value.number);
}

// What has named documents, of which an older state, or none, may be all that is left.
struct Kind {
    const char* name;
    const char* scope;  // of its events: this and the document's name
    const char* rows;   // name, offset, document
    const char* count;
    Result<std::uint64_t> (*version)(std::string_view document);  // null: the offset counts
};
constexpr Kind kKinds[] = {
    {"context", "ctx:", "SELECT key, offset, json FROM context WHERE user = ?",
     "SELECT count(*) FROM context WHERE user = ? AND deleted = 0",
     [](std::string_view document) -> Result<std::uint64_t> {
         ASSIGN_OR_RETURN(const Context context, read_context(document));
         return context.version;
     }},
    {"mode", "mode:",
     "SELECT s.instance, coalesce((SELECT max(t.offset) FROM mode_transition t WHERE "
     "t.user = s.user AND t.instance = s.instance), 0), s.json FROM mode_state s WHERE s.user = ?",
     "SELECT count(*) FROM mode_state WHERE user = ?",
     [](std::string_view document) -> Result<std::uint64_t> {
         ASSIGN_OR_RETURN(const ModeState mode, read_mode(document));
         return mode.sync_version;
     }},
    {"response", "response:",
     "SELECT chat || '/' || message, offset FROM response WHERE user = ? ORDER BY chat, message",
     "SELECT count(*) FROM response WHERE user = ?", nullptr},
};

// One user's memory: first the log and what follows from it, then what only the rows know.
class UserSalvage {
  public:
    UserSalvage(Sources& sources, const UserSources& from, Connection& to, Random& random,
                SalvagedUser& account)
        : sources_(sources),
          from_(from),
          db_(to),
          log_tables_(to, SegmentLimits{}),
          projections_(to),
          new_epoch_(random.next_u64() | 1),
          account_(account) {}

    Status run();

  private:
    struct Sound {
        std::vector<RawRow> contexts, conflicts, claims, modes, transitions, responses, expired;
    };
    void sort_rows();
    Offset last_offset() const;
    Status write_rows(const LogSalvage& log);
    Status write_modes();
    Status write_responses();
    Status write_conflicts(const LogSalvage& log);
    Status write_claims(const LogSalvage& log);
    Status finish(const LogSalvage& log);
    Status compare(const LogSalvage& log);
    Status compare(const Kind& kind, const LogSalvage& log);

    Sources& sources_;
    const UserSources& from_;
    Connection& db_;
    LogTables log_tables_;
    Projections projections_;
    Epoch new_epoch_;
    SalvagedUser& account_;
    std::int64_t user_ = 0;
    Sound sound_;
    // By kind and name.
    std::map<std::string_view, std::map<std::string, Witness>> unsound_;
    std::set<std::uint64_t> known_scopes_;
};

// A row is believed where its pages are sound and its document agrees with its columns.
void UserSalvage::sort_rows() {
    if (!sources_.rows) return;
    RawRows& rows = *sources_.rows;
    const auto each = [&](const std::vector<RawPlace>& places, auto take) {
        for (const RawPlace place : places)
            if (std::optional<RawRow> row = rows.read(place)) take(*row);
    };
    each(from_.contexts, [&](RawRow& row) {
        const Result<Context> context = read_context(row.values[5].bytes);
        const std::string& key = row.values[1].bytes;
        if (row.sound && context && context->key == key &&
            context->offset == natural(row.values[2]))
            sound_.contexts.push_back(std::move(row));
        else
            unsound_["context"][key] = {context ? context->version : 0, kOnDamagedPage};
    });
    each(from_.conflicts_and_modes, [&](RawRow& row) {
        const std::string& name = row.values[1].bytes;
        const Result<ModeState> mode = read_mode(row.values[2].bytes);
        const Result<Conflict> conflict = read_conflict(row.values[2].bytes);
        if (row.sound && mode && mode->instance_id == name)
            sound_.modes.push_back(std::move(row));
        else if (row.sound && conflict && conflict->id == name)
            sound_.conflicts.push_back(std::move(row));
        else if (mode && mode->instance_id == name)
            unsound_["mode"][name] = {mode->sync_version, kOnDamagedPage};
    });
    each(from_.claims, [&](RawRow& row) {
        const Result<Claim> claim = read_claim(row.values[4].bytes);
        if (row.sound && claim && claim->resource == row.values[1].bytes)
            sound_.claims.push_back(std::move(row));
    });
    each(from_.transitions, [&](RawRow& row) {
        const Result<ModeState> mode = read_mode(row.values[3].bytes);
        if (row.sound && mode && mode->instance_id == row.values[2].bytes)
            sound_.transitions.push_back(std::move(row));
    });
    each(from_.responses, [&](RawRow& row) {
        const Result<ResponseRecord> record = read_response(row.values[4].bytes);
        if (row.sound && record && record->chat_id == row.values[1].bytes &&
            record->message_id == row.values[2].bytes)
            sound_.responses.push_back(std::move(row));
        else
            unsound_["response"][row.values[1].bytes + "/" + row.values[2].bytes] = {
                natural(row.values[3]), kOnDamagedPage};
    });
    each(from_.expired, [&](RawRow& row) {
        if (row.sound && row.values[3].bytes.size() % 8 == 0)
            sound_.expired.push_back(std::move(row));
    });
}

// Of the log, as anything that can be believed says.
Offset UserSalvage::last_offset() const {
    Offset last = from_.head && from_.head_sound ? from_.head->head.offset : 0;
    for (const RawRow& row : sound_.contexts)
        last = std::max(last, natural(row.values[2]));
    for (const RawRow& row : sound_.transitions)
        last = std::max(last, natural(row.values[1]));
    for (const RawRow& row : sound_.responses)
        last = std::max(last, natural(row.values[3]));
    const bool any = !from_.segments.empty() || !from_.journal.empty();
    return any ? last : std::max<Offset>(last, 1);
}

Status UserSalvage::write_modes() {
    const auto age = [](const std::string& json) {
        const Result<ModeState> mode = read_mode(json);
        return mode ? mode->sync_version + 1 : 0;
    };
    for (const RawRow& row : sound_.modes) {
        const auto& [instance, json] = std::tie(row.values[1].bytes, row.values[2].bytes);
        ASSIGN_OR_RETURN(const auto now,
                         db_.text("SELECT json FROM mode_state WHERE user = ? AND instance = ?",
                                  user_, instance));
        if (age(json) > (now ? age(*now) : 0))
            TRY(db_.execute(
                "INSERT OR REPLACE INTO mode_state(user, instance, json) VALUES(?, ?, ?)", user_,
                instance, json));
    }
    for (const RawRow& row : sound_.transitions)
        TRY(
            db_.execute("INSERT OR IGNORE INTO mode_transition(user, offset, instance, json) "
                        "VALUES(?, ?, ?, ?)",
                        user_, row.values[1].number, row.values[2].bytes, row.values[3].bytes));
    return Done{};
}

// A record is what several events made of it; the first of them may be older than the log.
Status UserSalvage::write_responses() {
    std::string json;
    for (const RawRow& row : sound_.responses) {
        ASSIGN_OR_RETURN(ResponseRecord record, read_response(row.values[4].bytes));
        record.offset = natural(row.values[3]);
        {
            Rows now = db_.query(
                "SELECT json, offset FROM response WHERE user = ? AND chat = ? AND message = ?",
                user_, row.values[1].bytes, row.values[2].bytes);
            if (now.next()) {
                ASSIGN_OR_RETURN(ResponseRecord folded, read_response(now.text(0)));
                folded.offset = now.natural(1);
                if (folded.offset > record.offset) record = merge_responses(record, folded);
            }
        }
        json.clear();
        write_response(json, record);
        TRY(
            db_.execute("INSERT OR REPLACE INTO response(user, chat, message, offset, json) "
                        "VALUES(?, ?, ?, ?, ?)",
                        user_, row.values[1].bytes, row.values[2].bytes, record.offset, json));
    }
    return Done{};
}

Status UserSalvage::write_conflicts(const LogSalvage& log) {
    std::set<std::string> stored;
    for (const RawRow& row : sound_.conflicts) {
        const std::string& id = row.values[1].bytes;
        stored.insert(id);
        if (!log.closed_conflicts().contains(id))
            TRY(db_.execute("INSERT OR IGNORE INTO conflict(user, id, json) VALUES(?, ?, ?)", user_,
                            id, row.values[2].bytes));
    }
    if (log.first_lost() == 0) return Done{};
    // One that was opened before a loss and has no row may have been resolved in what is lost.
    Rows open = db_.query("SELECT id FROM conflict WHERE user = ?", user_);
    while (open.next()) {
        const std::string id(open.text(0));
        if (!stored.contains(id))
            account_.items.push_back({.kind = "conflict",
                                      .name = id,
                                      .what = "unsure",
                                      .why = "a lost event may have resolved it"});
    }
    return open.status();
}

// A claim whose row is lost, or that a lost event ended, costs its holder a refusal or the others
// some time: it is no loss to be told of.
Status UserSalvage::write_claims(const LogSalvage& log) {
    for (const RawRow& row : sound_.claims) {
        const std::string& resource = row.values[1].bytes;
        const auto ended = log.ended_claims().find(resource);
        if (ended != log.ended_claims().end() && ended->second > natural(row.values[2])) continue;
        TRY(db_.execute(
            "INSERT INTO claim(user, resource, offset, expires_at, json) "
            "VALUES(?, ?, ?, ?, ?) ON CONFLICT(user, resource) DO UPDATE SET "
            "offset = excluded.offset, expires_at = excluded.expires_at, "
            "json = excluded.json WHERE excluded.offset > offset",
            user_, resource, row.values[2].number, row.values[3].number, row.values[4].bytes));
    }
    return Done{};
}

Status UserSalvage::write_rows(const LogSalvage& log) {
    for (const RawRow& row : sound_.contexts)
        TRY(
            db_.execute("INSERT INTO context(user, key, offset, deleted, expires_at, json) "
                        "VALUES(?, ?, ?, ?, ?, ?) ON CONFLICT(user, key) DO UPDATE SET "
                        "offset = excluded.offset, deleted = excluded.deleted, "
                        "expires_at = excluded.expires_at, json = excluded.json "
                        "WHERE excluded.offset > offset",
                        user_, row.values[1].bytes, row.values[2].number, row.values[3].number,
                        row.values[4].kind == RawValue::Kind::null ? Value(nullptr)
                                                                   : Value(row.values[4].number),
                        row.values[5].bytes));
    TRY(write_modes());
    TRY(write_responses());
    TRY(write_conflicts(log));
    TRY(write_claims(log));
    for (const RawRow& row : sound_.expired)
        TRY(db_.execute(
            "INSERT OR IGNORE INTO expired_operations(user, instance, last_offset, keys) "
            "VALUES(?, ?, ?, ?)",
            user_, row.values[1].number, row.values[2].number, Value::blob(row.values[3].bytes)));
    return Done{};
}

Status UserSalvage::compare(const Kind& kind, const LogSalvage& log) {
    std::map<std::string, Witness>& unsound = unsound_[kind.name];
    Rows rows = db_.query(kind.rows, user_);
    while (rows.next()) {
        const std::string name(rows.text(0));
        const Offset offset = rows.natural(1);
        std::uint64_t kept = offset;
        if (kind.version != nullptr) {
            ASSIGN_OR_RETURN(kept, kind.version(rows.text(2)));
        }
        const std::uint64_t scope = hash64(kind.scope + name);
        known_scopes_.insert(scope);
        const auto lost = log.lost_scopes().find(scope);
        const bool event_lost = lost != log.lost_scopes().end() && lost->second > offset;
        const auto said = unsound.extract(name);
        if (!event_lost && (!said || said.mapped().had <= kept)) continue;
        const std::uint64_t had = said                      ? said.mapped().had
                                  : kind.version != nullptr ? 0
                                                            : lost->second;
        account_.items.push_back({.kind = kind.name,
                                  .name = name,
                                  .what = "older",
                                  .kept = kept,
                                  .had = had,
                                  .why = event_lost
                                             ? "event " + std::to_string(lost->second) + " is lost"
                                             : said.mapped().why});
    }
    TRY(rows.status());
    for (const auto& [name, said] : unsound) {
        known_scopes_.insert(hash64(kind.scope + name));
        account_.items.push_back(
            {.kind = kind.name, .name = name, .what = "lost", .had = said.had, .why = said.why});
    }
    ASSIGN_OR_RETURN(const auto count, db_.number(kind.count, user_));
    account_.kept[kind.name] = static_cast<std::size_t>(count);
    return Done{};
}

Status UserSalvage::compare(const LogSalvage& log) {
    for (const std::string& key : from_.searchable)
        unsound_["context"].try_emplace(key, Witness{0, "only the search index still names it"});
    for (const Kind& kind : kKinds)
        TRY(compare(kind, log));
    ASSIGN_OR_RETURN(const auto conflicts,
                     db_.number("SELECT count(*) FROM conflict WHERE user = ?", user_));
    account_.kept["conflict"] = static_cast<std::size_t>(conflicts);
    std::size_t nameless = log.lost_without_scope();
    for (const auto& [scope, offset] : log.lost_scopes())
        nameless += known_scopes_.contains(scope) ? 0 : 1;
    if (nameless != 0)
        account_.notes.push_back(std::to_string(nameless) +
                                 " lost events changed what is not known by name any more");
    return Done{};
}

Status UserSalvage::finish(const LogSalvage& log) {
    if (!from_.name_known)
        account_.notes.push_back("the user's name is lost; the memory is kept as user " +
                                 account_.name);
    if (sources_.tail_may_be_lost(from_))
        account_.notes.push_back("what was written after event " + std::to_string(log.last()) +
                                 " may be lost: a part of the journals is");
    // The log of a user that begins at 1 has everything; an older one had it in rows.
    if (log.first() > 1 && (!sources_.rows || !sources_.rows->damaged().empty()))
        account_.notes.push_back("what was last written before event " +
                                 std::to_string(log.first()) +
                                 " stood in memory.db; where that is damaged, it may be missing "
                                 "without a name");
    account_.whole = account_.events_lost() == 0 && !log.is_rechained() && account_.items.empty() &&
                     account_.notes.empty();
    if (!account_.whole) TRY(log_tables_.set_epoch(user_, new_epoch_));
    return projections_.take_rows(user_, log.first());
}

Status UserSalvage::run() {
    account_.name = from_.name;
    account_.name_known = from_.name_known;
    sort_rows();
    ASSIGN_OR_RETURN(user_, log_tables_.add_user(from_.name));
    LogSalvage log(from_, sources_.rows.get(), log_tables_, projections_, user_, new_epoch_,
                   account_);
    TRY(log.run(last_offset()));
    TRY(write_rows(log));
    TRY(compare(log));
    return finish(log);
}

// The new store, empty: as a first start makes it.
Status make_store(const SalvageOptions& options, Random& random) {
    StoreOptions made;
    made.database = options.to;
    made.vfs = options.vfs;
    made.journal_file_bytes = options.journal_file_bytes;
    made.page_bytes = options.page_bytes;
    TRY(open_store(std::move(made), random));
    return Done{};
}

}  // namespace

std::size_t SalvagedUser::events_that_are(bool kept_ones) const {
    std::size_t count = 0;
    for (const SalvagedRange& range : events)
        if (range.kept == kept_ones) count += range.last - range.first + 1;
    return count;
}

bool SalvageAccount::whole() const {
    return !pages_lost && records_lost.empty() &&
           std::all_of(users.begin(), users.end(),
                       [](const SalvagedUser& user) { return user.whole; });
}

Result<SalvageAccount> salvage(const SalvageOptions& options, Random& random) {
    ASSIGN_OR_RETURN(Sources sources, find_sources(options.from, options.vfs, options.on_progress));
    TRY(make_store(options, random));
    ASSIGN_OR_RETURN(const auto to, Connection::open({.path = options.to,
                                                      .vfs = options.vfs,
                                                      .page_bytes = options.page_bytes}));
    if (!sources.clock.empty()) TRY(to->set_meta("clock", sources.clock));
    SalvageAccount account;
    for (const UserSources& user : sources.users) {
        TRY(to->transact([&] {
            return UserSalvage(sources, user, *to, random, account.users.emplace_back()).run();
        }));
        if (options.on_progress) options.on_progress(account.users.size(), sources.users.size());
    }
    account.records_whole = sources.records_whole;
    account.records_lost = std::move(sources.records_lost);
    account.damages = std::move(sources.damages);
    account.pages_lost = !sources.rows || !sources.rows->damaged().empty();
    if (sources.rows)
        for (const auto& [page, why] : sources.rows->damaged())
            account.damages.push_back(options.from + ", page " + std::to_string(page) + ": " + why);
    return account;
}

}  // namespace dyad::sqlite
