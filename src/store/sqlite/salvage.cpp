#include "store/sqlite/salvage.hpp"

#include "base/hash64.hpp"
#include "store/sqlite/opening.hpp"
#include "store/sqlite/salvage_log.hpp"
#include "store/sqlite/schema.hpp"

#include <algorithm>
#include <numeric>

namespace dyad::sqlite {
namespace {

constexpr const char* kOnDamagedPage = "its row stands on a damaged page";

// What is said of something by a row that cannot be believed.
struct Witness {
    std::uint64_t had = 0;
    std::string why;
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
        std::vector<RawRow> contexts, conflicts, modes, transitions, responses, expired;
    };
    void sort_rows();
    Offset last_offset() const;
    Status write_rows(const LogSalvage& log);
    Status write_modes();
    Status write_responses();
    Status write_conflicts(const LogSalvage& log);
    Status finish(const LogSalvage& log);
    Status compare(const LogSalvage& log);
    Status compare_contexts(const LogSalvage& log);
    Status compare_others(const LogSalvage& log);
    Status count(const char* kind, const char* sql);
    void note_scope(std::uint64_t scope) { known_scopes_.insert(scope); }

    Sources& sources_;
    const UserSources& from_;
    Connection& db_;
    LogTables log_tables_;
    Projections projections_;
    Epoch new_epoch_;
    SalvagedUser& account_;
    std::int64_t user_ = 0;
    Sound sound_;
    std::map<std::string, Witness> contexts_, modes_;
    std::map<std::pair<std::string, std::string>, Witness> responses_;
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
            context->offset == static_cast<Offset>(row.values[2].number))
            sound_.contexts.push_back(std::move(row));
        else
            contexts_[key] = {context ? context->version : 0, kOnDamagedPage};
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
            modes_[name] = {mode->sync_version, kOnDamagedPage};
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
            responses_[{row.values[1].bytes, row.values[2].bytes}] = {
                static_cast<std::uint64_t>(row.values[3].number), kOnDamagedPage};
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
        last = std::max(last, static_cast<Offset>(row.values[2].number));
    for (const RawRow& row : sound_.transitions)
        last = std::max(last, static_cast<Offset>(row.values[1].number));
    for (const RawRow& row : sound_.responses)
        last = std::max(last, static_cast<Offset>(row.values[3].number));
    const bool any = !from_.segments.empty() || !from_.journal.empty();
    return any ? last : std::max<Offset>(last, 1);
}

Status UserSalvage::write_modes() {
    Status done = Done{};
    for (const RawRow& row : sound_.modes) {
        std::uint64_t written = 0;
        {
            Rows now = db_.query("SELECT json FROM mode_state WHERE user = ? AND instance = ?",
                                 user_, row.values[1].bytes);
            if (now.next()) {
                const Result<ModeState> mode = read_mode(now.text(0));
                if (mode) written = mode->sync_version + 1;
            }
        }
        const Result<ModeState> stored = read_mode(row.values[2].bytes);
        if (done && stored && stored->sync_version + 1 > written)
            done = db_.execute(
                "INSERT OR REPLACE INTO mode_state(user, instance, json) VALUES(?, ?, ?)", user_,
                row.values[1].bytes, row.values[2].bytes);
    }
    for (const RawRow& row : sound_.transitions)
        if (done)
            done = db_.execute(
                "INSERT OR IGNORE INTO mode_transition(user, offset, instance, json) "
                "VALUES(?, ?, ?, ?)",
                user_, row.values[1].number, row.values[2].bytes, row.values[3].bytes);
    return done;
}

// A record is what several events made of it; the first of them may be older than the log.
Status UserSalvage::write_responses() {
    Status done = Done{};
    std::string json;
    for (const RawRow& row : sound_.responses) {
        Result<ResponseRecord> record = read_response(row.values[4].bytes);
        record->offset = static_cast<Offset>(row.values[3].number);
        {
            Rows now = db_.query(
                "SELECT json, offset FROM response WHERE user = ? AND chat = ? AND message = ?",
                user_, row.values[1].bytes, row.values[2].bytes);
            if (now.next()) {
                Result<ResponseRecord> folded = read_response(now.text(0));
                if (!folded) return folded.error();
                folded->offset = now.natural(1);
                if (folded->offset > record->offset) record = merge_responses(*record, *folded);
            }
        }
        json.clear();
        write_response(json, *record);
        if (done)
            done = db_.execute(
                "INSERT OR REPLACE INTO response(user, chat, message, offset, json) "
                "VALUES(?, ?, ?, ?, ?)",
                user_, row.values[1].bytes, row.values[2].bytes, record->offset, json);
    }
    return done;
}

Status UserSalvage::write_conflicts(const LogSalvage& log) {
    std::set<std::string> stored;
    Status done = Done{};
    for (const RawRow& row : sound_.conflicts) {
        stored.insert(row.values[1].bytes);
        if (done && !log.closed_conflicts().contains(row.values[1].bytes))
            done = db_.execute("INSERT OR IGNORE INTO conflict(user, id, json) VALUES(?, ?, ?)",
                               user_, row.values[1].bytes, row.values[2].bytes);
    }
    if (!done || log.first_lost() == 0) return done;
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

Status UserSalvage::write_rows(const LogSalvage& log) {
    Status done = Done{};
    for (const RawRow& row : sound_.contexts)
        if (done)
            done = db_.execute(
                "INSERT INTO context(user, key, offset, deleted, expires_at, json) "
                "VALUES(?, ?, ?, ?, ?, ?) ON CONFLICT(user, key) DO UPDATE SET "
                "offset = excluded.offset, deleted = excluded.deleted, "
                "expires_at = excluded.expires_at, json = excluded.json "
                "WHERE excluded.offset > offset",
                user_, row.values[1].bytes, row.values[2].number, row.values[3].number,
                row.values[4].kind == RawValue::Kind::null ? Value(nullptr)
                                                           : Value(row.values[4].number),
                row.values[5].bytes);
    if (done) done = write_modes();
    if (done) done = write_responses();
    if (done) done = write_conflicts(log);
    for (const RawRow& row : sound_.expired)
        if (done)
            done = db_.execute(
                "INSERT OR IGNORE INTO expired_operations(user, instance, last_offset, keys) "
                "VALUES(?, ?, ?, ?)",
                user_, row.values[1].number, row.values[2].number,
                Value::blob(row.values[3].bytes));
    return done;
}

Status UserSalvage::compare_contexts(const LogSalvage& log) {
    for (const std::string& key : from_.searchable)
        contexts_.try_emplace(key, Witness{0, "only the search index still names it"});
    {
        Rows rows = db_.query("SELECT key, offset, json FROM context WHERE user = ?", user_);
        while (rows.next()) {
            const std::string key(rows.text(0));
            const std::uint64_t scope = hash64("ctx:" + key);
            note_scope(scope);
            const Result<Context> context = read_context(rows.text(2));
            if (!context) return context.error();
            const auto said = contexts_.extract(key);
            const auto lost = log.lost_scopes().find(scope);
            const bool event_lost =
                lost != log.lost_scopes().end() && lost->second > rows.natural(1);
            const std::uint64_t had = said ? said.mapped().had : 0;
            if (event_lost || had > context->version)
                account_.items.push_back(
                    {.kind = "context",
                     .name = key,
                     .what = "older",
                     .kept = context->version,
                     .had = had,
                     .why = event_lost ? "event " + std::to_string(lost->second) + " is lost"
                                       : said.mapped().why});
        }
        TRY(rows.status());
    }
    for (const auto& [key, said] : contexts_) {
        note_scope(hash64("ctx:" + key));
        account_.items.push_back(
            {.kind = "context", .name = key, .what = "lost", .had = said.had, .why = said.why});
    }
    return Done{};
}

Status UserSalvage::compare_others(const LogSalvage& log) {
    const auto older = [&](const char* kind, const std::string& name, const std::string& scope,
                           Offset now, std::uint64_t kept, const Witness* said) {
        const std::uint64_t key = hash64(scope);
        note_scope(key);
        const auto lost = log.lost_scopes().find(key);
        const bool event_lost = lost != log.lost_scopes().end() && lost->second > now;
        if (!event_lost && (said == nullptr || said->had <= kept)) return;
        account_.items.push_back(
            {.kind = kind,
             .name = name,
             .what = "older",
             .kept = kept,
             .had = said != nullptr ? said->had : lost->second,
             .why = event_lost ? "event " + std::to_string(lost->second) + " is lost" : said->why});
    };
    Rows modes = db_.query(
        "SELECT s.instance, s.json, coalesce((SELECT max(t.offset) FROM mode_transition t WHERE "
        "t.user = s.user AND t.instance = s.instance), 0) FROM mode_state s WHERE s.user = ?",
        user_);
    while (modes.next()) {
        const std::string name(modes.text(0));
        const Result<ModeState> mode = read_mode(modes.text(1));
        if (!mode) return mode.error();
        const auto said = modes_.extract(name);
        older("mode", name, "mode:" + name, modes.natural(2), mode->sync_version,
              said ? &said.mapped() : nullptr);
    }
    Status done = modes.status();
    if (!done) return done;
    for (const auto& [name, said] : modes_)
        account_.items.push_back(
            {.kind = "mode", .name = name, .what = "lost", .had = said.had, .why = said.why});
    Rows responses = db_.query("SELECT chat, message, offset FROM response WHERE user = ?", user_);
    while (responses.next()) {
        const std::pair name(std::string(responses.text(0)), std::string(responses.text(1)));
        const auto said = responses_.extract(name);
        const std::string path = name.first + "/" + name.second;
        older("response", path, "response:" + path, responses.natural(2), responses.natural(2),
              said ? &said.mapped() : nullptr);
    }
    done = responses.status();
    if (!done) return done;
    for (const auto& [name, said] : responses_)
        account_.items.push_back({.kind = "response",
                                  .name = name.first + "/" + name.second,
                                  .what = "lost",
                                  .had = said.had,
                                  .why = said.why});
    return Done{};
}

Status UserSalvage::count(const char* kind, const char* sql) {
    Rows rows = db_.query(sql, user_);
    if (rows.next()) account_.kept[kind] = rows.natural(0);
    return rows.status();
}

Status UserSalvage::compare(const LogSalvage& log) {
    Status done = compare_contexts(log);
    if (done) done = compare_others(log);
    if (done)
        done = count("context", "SELECT count(*) FROM context WHERE user = ? AND deleted = 0");
    if (done) done = count("mode", "SELECT count(*) FROM mode_state WHERE user = ?");
    if (done) done = count("response", "SELECT count(*) FROM response WHERE user = ?");
    if (done) done = count("conflict", "SELECT count(*) FROM conflict WHERE user = ?");
    std::size_t nameless = log.lost_without_scope();
    for (const auto& [scope, offset] : log.lost_scopes())
        nameless += known_scopes_.contains(scope) ? 0 : 1;
    if (nameless != 0)
        account_.notes.push_back(std::to_string(nameless) +
                                 " lost events changed what is not known by name any more");
    return done;
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
    if (!account_.whole) {
        TRY(log_tables_.set_epoch(user_, new_epoch_));
    }
    const Offset first = log.first();
    return db_.execute(
        "UPDATE head SET first_kept = ?2, state_sum = NULL, next_expiry = (SELECT min(expires_at) "
        "FROM context "
        "WHERE user = ?1 AND deleted = 0) WHERE user = ?1",
        user_, first);
}

Status UserSalvage::run() {
    account_.name = from_.name;
    account_.name_known = from_.name_known;
    sort_rows();
    const Result<std::int64_t> added = log_tables_.add_user(from_.name);
    if (!added) return added.error();
    user_ = *added;
    LogSalvage log(from_, sources_.rows.get(), log_tables_, projections_, user_, new_epoch_,
                   account_);
    Status done = log.run(last_offset());
    if (done) done = write_rows(log);
    if (done) done = compare(log);
    if (done) done = finish(log);
    return done;
}

// The new store, empty: as a first start makes it.
Status make_store(const SalvageOptions& options, Random& random) {
    StoreOptions made;
    made.database = options.to;
    made.vfs = options.vfs;
    made.journal_file_bytes = options.journal_file_bytes;
    made.page_bytes = options.page_bytes;
    const auto store = open_store(std::move(made), random);
    if (!store) return store.error();
    return Done{};
}

}  // namespace

std::size_t SalvagedUser::events_kept() const {
    return std::accumulate(events.begin(), events.end(), std::size_t{0},
                           [](std::size_t sum, const SalvagedRange& range) {
                               return sum + (range.kept ? range.last - range.first + 1 : 0);
                           });
}

std::size_t SalvagedUser::events_lost() const {
    return std::accumulate(events.begin(), events.end(), std::size_t{0},
                           [](std::size_t sum, const SalvagedRange& range) {
                               return sum + (range.kept ? 0 : range.last - range.first + 1);
                           });
}

bool SalvageAccount::whole() const {
    return !pages_lost && records_lost.empty() &&
           std::all_of(users.begin(), users.end(),
                       [](const SalvagedUser& user) { return user.whole; });
}

Result<SalvageAccount> salvage(const SalvageOptions& options, Random& random) {
    Result<Sources> sources = find_sources(options.from, options.vfs, options.on_progress);
    if (!sources) return sources.error();
    Status done = make_store(options, random);
    if (!done) return done.error();
    auto to = Connection::open(
        {.path = options.to, .vfs = options.vfs, .page_bytes = options.page_bytes});
    if (!to) return to.error();
    if (!sources->clock.empty())
        done = (*to)->execute("INSERT OR REPLACE INTO meta(key, value) VALUES('clock', ?)",
                              sources->clock);
    if (!done) return done.error();
    SalvageAccount account;
    for (const UserSources& user : sources->users) {
        Transaction transaction(**to);
        done = transaction.begin();
        if (done)
            done = UserSalvage(*sources, user, **to, random, account.users.emplace_back()).run();
        if (done) done = transaction.commit();
        if (!done) return done.error();
        if (options.on_progress) options.on_progress(account.users.size(), sources->users.size());
    }
    account.records_whole = sources->records_whole;
    account.records_lost = std::move(sources->records_lost);
    account.damages = std::move(sources->damages);
    account.pages_lost = !sources->rows || !sources->rows->damaged().empty();
    if (sources->rows)
        for (const auto& [page, why] : sources->rows->damaged())
            account.damages.push_back(options.from + ", page " + std::to_string(page) + ": " + why);
    return account;
}

}  // namespace dyad::sqlite
