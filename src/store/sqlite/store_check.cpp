#include "store/sqlite/store_check.hpp"

#include "base/hash64.hpp"
#include "model/change.hpp"
#include "model/damaged_batch.hpp"

namespace dyad::sqlite {
namespace {

constexpr std::size_t kPagesAtOnce = 64;
constexpr std::size_t kRowsAtOnce = 64;
constexpr std::size_t kDamagesMax = 100;  // of each user, and of the files; the rest are counted

// By StoreCheck::Table.
constexpr const char* kRows[] = {
    "SELECT key, json, offset FROM context WHERE user = ?1 AND key > ?2 ORDER BY key LIMIT ?4",
    "SELECT instance, json, 0 FROM mode_state WHERE user = ?1 AND instance > ?2 "
    "ORDER BY instance LIMIT ?4",
    "SELECT chat || '/' || message, json, offset FROM response WHERE user = ?1 AND "
    "offset > ?3 ORDER BY offset LIMIT ?4",
    "SELECT id, json, 0 FROM conflict WHERE user = ?1 AND id > ?2 ORDER BY id LIMIT ?4",
    "SELECT resource, json, offset FROM claim WHERE user = ?1 AND resource > ?2 "
    "ORDER BY resource LIMIT ?4",
};

}  // namespace

void StoreCheck::blame(std::string what, std::string name, std::string text) {
    report_.damages += 1;
    const bool of_user = stage_ >= Stage::segments;
    std::size_t& count = report_.by_user[of_user ? user_ : std::string()];
    if (count++ >= kDamagesMax) return;
    report_.list.push_back({.user_id = of_user ? user_ : std::string(),
                            .what = std::move(what),
                            .name = std::move(name),
                            .text = std::move(text)});
}

bool StoreCheck::step() {
    using Work = void (StoreCheck::*)();
    constexpr Work kWork[] = {&StoreCheck::check_pages,   &StoreCheck::check_trees,
                              &StoreCheck::check_records, &StoreCheck::next_user,
                              &StoreCheck::check_segment, &StoreCheck::check_rows};
    if (stage_ != Stage::done) (this->*kWork[static_cast<std::size_t>(stage_)])();
    return stage_ != Stage::done;
}

void StoreCheck::check_pages() {
    const std::uint64_t pages = db_.pages();
    report_.of = pages;
    for (std::size_t i = 0; i < kPagesAtOnce && page_ < pages; ++i) {
        const Status read = db_.check_page(++page_);
        if (!read) blame("page", std::to_string(page_), read.error().detail);
        report_.pages += 1;
    }
    report_.done = page_;
    if (page_ < pages) return;
    db_.forget_pages();  // what is read from here on comes from the disk
    stage_ = thorough_ ? Stage::trees : Stage::records;
}

void StoreCheck::check_trees() {
    stage_ = Stage::records;
    Rows rows = db_.query("PRAGMA integrity_check(20)");
    while (rows.next())
        if (rows.text(0) != "ok") blame("tree", {}, std::string(rows.text(0)));
    if (const Status status = rows.status(); !status) blame("tree", {}, status.error().detail);
}

void StoreCheck::check_records() {
    const Result<bool> more = check_record_(cursor_);
    if (!more) blame("record", {}, more.error().detail);
    if (!more || *more) {
        report_.records += 1;
        return;
    }
    stage_ = Stage::users;
    log_.user = 0;
}

void StoreCheck::next_user() {
    const auto log = log_tables_.next_user(log_.user);
    if (!log) blame("table", "head", log.error().detail);
    if (!log || !*log) {
        stage_ = Stage::done;
        return;
    }
    log_ = **log;
    const Result<std::string> name = log_tables_.name_of(log_.user);
    user_ = name ? *name : "number " + std::to_string(log_.user);
    report_.users += 1;
    next_ = log_.first_kept;
    end_.reset();
    newest_.clear();
    lost_.clear();
    log_is_good_ = true;
    stage_ = Stage::segments;
    if (!name) blame("user", user_, name.error().detail);
}

void StoreCheck::check_segment() {
    EventBatch batch;
    const Result<bool> more = log_tables_.check_segment(log_, next_, end_, batch);
    if (more && *more) {
        if (batch.first == 1 && batch.prev_hash != genesis_hash(user_, batch.epoch))
            blame("user", user_, "the first event of this log was written for another name");
        for (Offset offset = batch.first; offset <= batch.last(); ++offset)
            take_event(offset, batch.text(offset));
        return;
    }
    if (!more && go_on_after(more.error())) return;
    stage_ = Stage::rows;
    table_ = Table::contexts;
    after_.clear();
    after_offset_ = 0;
}

// False where the log has no more segments.
bool StoreCheck::go_on_after(const Error& error) {
    // Meanwhile the front of the log may have expired.
    const auto now = log_tables_.find(user_);
    end_.reset();
    if (now && *now && (*now)->first_kept > next_) {
        log_.first_kept = next_ = (*now)->first_kept;
        return next_ <= log_.head.offset;
    }
    const auto after = log_tables_.segment_after(log_.user, next_);
    const Offset last = after && *after != 0 ? *after - 1 : log_.head.offset;
    const Result<std::string> body = log_tables_.body_of(log_.user, next_);
    const std::size_t before = report_.damages;
    if (body && last >= next_)
        for (const FoundEvent& event :
             find_events(*body, next_, static_cast<std::size_t>(last - next_ + 1))) {
            if (prove(event, std::nullopt, {})) {
                take_event(event.offset, event.text);
                continue;
            }
            lost_.insert(event.offset);
            blame("event", std::to_string(event.offset), "it is not as it was written");
        }
    if (report_.damages == before) {  // of the segment, then
        blame("log", "from event " + std::to_string(next_), error.detail);
        log_is_good_ = false;
    }
    next_ = last + 1;
    return after && *after != 0;
}

void StoreCheck::take_event(Offset offset, std::string_view text) {
    report_.events += 1;
    const Result<EventView> event = decode_event(text);
    const Result<Change> change = event ? decode_change(*event) : Result<Change>(event.error());
    if (!change) return blame("event", std::to_string(offset), change.error().detail);
    std::string document;
    if (const auto* context = std::get_if<ContextChange>(&*change)) {
        write_context(document, *context->context);
    } else if (const auto* mode = std::get_if<ModeChange>(&*change)) {
        write_mode(document, mode->state);
        check_transition(offset, document);
    } else if (const auto* claim = std::get_if<ClaimChange>(&*change)) {
        newest_.erase(hash64(event->scope));  // one that is over has no row
        if (!claim->is_held()) return;
        write_claim(document, claim->claim);
    } else if (!std::holds_alternative<ResponseChange>(*change)) {
        if (event->kind == EventKind::event_lost) lost_.insert(offset);
        return;
    }
    newest_[hash64(event->scope)] = {.offset = offset,
                                     .document = document.empty() ? 0 : hash64(document)};
}

void StoreCheck::check_transition(Offset offset, std::string_view document) {
    const auto row = db_.text("SELECT json FROM mode_transition WHERE user = ? AND offset = ?",
                              log_.user, offset);
    if (!row || *row != document)
        blame("transition", std::to_string(offset),
              row ? "its row is not what its event says" : row.error().detail);
}

void StoreCheck::check_rows() {
    if (table_ == Table::end) {
        find_missing_rows();
        stage_ = Stage::users;
        return;
    }
    std::size_t count = 0;
    Rows rows = db_.query(kRows[static_cast<std::size_t>(table_)], log_.user, after_, after_offset_,
                          kRowsAtOnce);
    while (rows.next()) {
        check_row(rows);
        after_ = rows.text(0);
        after_offset_ = rows.natural(2);
        ++count;
    }
    const Status status = rows.status();
    if (!status) {
        blame("table", {}, status.error().detail);
        log_is_good_ = false;  // what has no row may stand behind it
    }
    if (status && count == kRowsAtOnce) return;
    table_ = static_cast<Table>(static_cast<std::uint8_t>(table_) + 1);
    after_.clear();
    after_offset_ = 0;
}

void StoreCheck::check_row(const Rows& row) {
    report_.rows += 1;
    const std::string name(row.text(0)), document(row.text(1));
    const Offset offset = row.natural(2);
    const auto unreadable = [&](const char* what) {
        blame(what, name, "its row is not well formed, or of another " + std::string(what));
    };
    if (table_ == Table::contexts) {
        const Result<Context> context = read_context(document);
        if (!context || context->key != name || context->offset != offset)
            return unreadable("context");
        check_document("context", name, "ctx:" + name, offset, document);
    } else if (table_ == Table::modes) {
        const Result<ModeState> mode = read_mode(document);
        if (!mode || mode->instance_id != name) return unreadable("mode");
        check_document("mode", name, "mode:" + name, 0, document);
    } else if (table_ == Table::responses) {
        const Result<ResponseRecord> record = read_response(document);
        if (!record || record->chat_id + "/" + record->message_id != name)
            return unreadable("response");
        check_response(*record, name, offset);
    } else if (table_ == Table::claims) {
        const Result<Claim> claim = read_claim(document);
        if (!claim || claim->resource != name) return unreadable("claim");
        check_document("claim", name, "claim:" + name, offset, document);
    } else {
        const Result<Conflict> conflict = read_conflict(document);
        if (!conflict || conflict->id != name) unreadable("conflict");
    }
}

// `offset`: of the event that made it so; 0: the row does not say.
void StoreCheck::check_document(const char* what, const std::string& name, const std::string& scope,
                                Offset offset, const std::string& document) {
    const auto at = newest_.find(hash64(scope));
    if (at != newest_.end()) at->second.seen = true;
    // Written since, older than the log, or from an event that is lost.
    if (offset > log_.head.offset || lost_.contains(offset) || !log_is_good_) return;
    const bool in_log = at != newest_.end();
    if (in_log && at->second.document == hash64(document)) return;
    if (offset < log_.first_kept && offset != 0) return;
    if (offset == 0) {  // a mode: the transition to it says when, or is lost with its event
        if (!lost_.empty() && (!in_log || *lost_.rbegin() > at->second.offset)) return;
        const auto last =
            db_.number("SELECT max(offset) FROM mode_transition WHERE user = ? AND instance = ?",
                       log_.user, name);
        const Offset set = last ? static_cast<Offset>(*last) : 0;
        if (set < log_.first_kept || set > log_.head.offset || lost_.contains(set)) return;
    }
    blame(what, name,
          in_log ? "its row is not what event " + std::to_string(at->second.offset) + " says"
                 : "no event of the log says what its row does");
}

// A record is made of several events, the first of which may be older than the log: the last one
// must be part of it.
void StoreCheck::check_response(const ResponseRecord& stored, const std::string& name,
                                Offset offset) {
    const auto at = newest_.find(hash64("response:" + name));
    if (at != newest_.end()) at->second.seen = true;
    if (offset > log_.head.offset || lost_.contains(offset) || !log_is_good_) return;
    if (offset < log_.first_kept) return;
    std::string row, merged;
    write_response(row, stored);
    const Offset last = at == newest_.end() ? 0 : at->second.offset;
    if (last == offset) {
        const Result<EventBatch> batch =
            log_tables_.segment_with(log_.user, offset, LogTables::Part::one_event);
        const Result<Change> change = batch ? change_in(batch->text(offset)) : batch.error();
        const auto now = log_tables_.find(user_);
        if (!change && now && *now && (*now)->first_kept > offset) return;  // it expired meanwhile
        const auto* response = change ? std::get_if<ResponseChange>(&*change) : nullptr;
        if (response != nullptr) {
            ResponseRecord again = merge_responses(stored, response->record);
            again.offset = stored.offset;
            write_response(merged, again);
        }
    }
    if (row != merged)
        blame("response", name,
              last == 0 ? "no event of the log says what its row does"
                        : "its row is not what event " + std::to_string(last) + " says");
}

void StoreCheck::find_missing_rows() {
    const auto now = log_tables_.find(user_);
    const Offset first_kept = now && *now ? (*now)->first_kept : log_.first_kept;
    for (const auto& [scope, newest] : newest_) {
        if (newest.seen || newest.offset < first_kept || !log_is_good_) continue;
        const Result<EventBatch> batch =
            log_tables_.segment_with(log_.user, newest.offset, LogTables::Part::one_event);
        const Result<EventView> event =
            batch ? decode_event(batch->text(newest.offset)) : batch.error();
        const std::string name = event ? event->scope : std::string();
        // A claim may have ended since.
        if (name.starts_with("claim:") && now && *now && (*now)->head.offset > log_.head.offset)
            continue;
        const std::size_t colon = name.find(':');
        blame(name.starts_with("ctx:") ? "context" : name.substr(0, colon),
              colon == std::string::npos ? name : name.substr(colon + 1),
              "its row is missing; event " + std::to_string(newest.offset) + " wrote it");
    }
}

}  // namespace dyad::sqlite
