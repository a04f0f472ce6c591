#include "server/mcp/product/context_pack.hpp"

#include "base/text.hpp"
#include "model/identity.hpp"
#include "server/mcp/product/arguments.hpp"
#include "server/mcp/product/tools.hpp"

#include <algorithm>
#include <cmath>
#include <set>

namespace dyad::server::mcp {
namespace {

constexpr std::size_t kHits = 500;

// Words that say nothing of a task's subject.
constexpr std::string_view kIdle[] = {
    "about",  "after", "all",  "and",  "any",   "are",   "been",  "but",  "can",
    "for",    "from",  "has",  "have", "her",   "his",   "how",   "into", "its",
    "make",   "may",   "must", "need", "not",   "now",   "our",   "out",  "please",
    "should", "some",  "than", "that", "the",   "their", "them",  "then", "there",
    "these",  "they",  "this", "use",  "using", "was",   "were",  "what", "when",
    "where",  "which", "who",  "why",  "will",  "with",  "would", "you",  "your"};

bool says_something(std::string_view word) {
    constexpr std::size_t kShort = 3;
    const bool ascii = std::all_of(word.begin(), word.end(),
                                   [](char c) { return static_cast<signed char>(c) >= 0; });
    return (!ascii || word.size() >= kShort) &&
           std::find(std::begin(kIdle), std::end(kIdle), word) == std::end(kIdle);
}

// A context that may be shown, and how useful it is.
struct Candidate {
    const Context* context = nullptr;
    std::string_view why;
    double rank = 0;
    Version shown = 0;  // the version that was; 0: none
};

// What stands above all else, and the parts of a rank below it.
constexpr double kFirst = 100;  // pinned
constexpr double kStale = 10;   // what the session knows of it is not true any more
constexpr double kMatch = 3;    // of the best match
constexpr double kHalfLifeMs = 3.0 * 24 * 3600 * 1000;

std::vector<Candidate> ranked(const core::Snapshot& state, const std::vector<SearchHit>& hits,
                              std::int64_t now_ms, const Shown::Facts& shown) {
    std::map<std::string_view, double> scores;
    for (const SearchHit& hit : hits)
        scores[hit.key] = hit.score;
    const double best = hits.empty() || hits.front().score <= 0 ? 1 : hits.front().score;
    std::vector<Candidate> list;
    for (const ContextPtr& context : state.contexts) {
        Candidate one{.context = context.get(), .why = "recent"};
        const auto before = shown.find(context->key);
        if (before != shown.end()) one.shown = before->second;
        if (one.shown == context->version) continue;
        const double age_ms =
            static_cast<double>(std::max<std::int64_t>(0, now_ms - context->updated_at_ms));
        one.rank = std::exp2(-age_ms / kHalfLifeMs);
        if (const auto score = scores.find(context->key); score != scores.end()) {
            one.why = "matches the task";
            one.rank += kMatch * score->second / best;
        }
        if (one.shown != 0) one.rank += kStale;
        if (std::find(context->tags.begin(), context->tags.end(), kPinned) != context->tags.end()) {
            one.why = "pinned";
            one.rank += kFirst;
        }
        list.push_back(one);
    }
    std::sort(list.begin(), list.end(), [](const Candidate& a, const Candidate& b) {
        return a.rank != b.rank ? a.rank > b.rank : a.context->key < b.context->key;
    });
    return list;
}

// A list of JSON texts, as far as there is room for it in a budget of bytes.
class List {
  public:
    bool add(std::string_view text, std::size_t& room) {
        if (text.size() + 1 > room) return false;
        room -= text.size() + 1;
        if (!text_.empty()) text_ += ',';
        text_ += text;
        return true;
    }
    json::Raw raw() const { return {text_}; }

  private:
    std::string text_;
};

std::string fact_of(const Candidate& one) {
    return json::written(one.context->data.size() + 512, [&](json::Writer& out) {
        out.object([&] {
            out.members("why", one.why, "status", one.shown == 0 ? "new" : "changed");
            write_members(out, *one.context);
        });
    });
}

std::string left_out_of(const Candidate& one, std::size_t tokens, bool alone) {
    return json::written(256, [&](json::Writer& out) {
        out.object("key", one.context->key, "version", one.context->version, "tokens", tokens,
                   "matches", one.why, "why", alone ? "larger than the whole budget" : "no room");
    });
}

bool is_live(const core::Snapshot& state, const std::string& key) {
    const auto is_before = [](const ContextPtr& c, const std::string& k) { return c->key < k; };
    const auto at = std::lower_bound(state.contexts.begin(), state.contexts.end(), key, is_before);
    return at != state.contexts.end() && (*at)->key == key;
}

// What was shown and is no more.
List removed_of(const core::Snapshot& state, Shown::Facts& shown, std::size_t& room) {
    List removed;
    for (auto at = shown.begin(); at != shown.end();) {
        std::string text;
        json::append_string(text, at->first);
        const bool told = !is_live(state, at->first) && removed.add(text, room);
        at = told ? shown.erase(at) : std::next(at);
    }
    return removed;
}

struct PackArguments {
    std::string task;
    std::optional<std::string> session;
    std::optional<std::int64_t> budget_tokens;
    bool fresh = false;
};
constexpr json::MemberOf<PackArguments> kPack[] = {
    {"task", take<&PackArguments::task>},
    {"budget_tokens", take<&PackArguments::budget_tokens>},
    {"session", take<&PackArguments::session>},
    {"fresh", take<&PackArguments::fresh>}};

Result<PackRequest> wanted_by(const Call& call) {
    ASSIGN_OR_RETURN(PackArguments wanted, (read_arguments<PackArguments, kPack>(call)));
    ASSIGN_OR_RETURN(const std::size_t budget,
                     within("budget_tokens", wanted.budget_tokens, kPackTokens, kPackTokensMin,
                            limits::mcp_pack_tokens_max));
    if (wanted.session)
        TRY(check_name("session", *wanted.session, limits::instance_id_bytes_max, NameRule::label));
    return PackRequest{.user = call.user(),
                       .session = wanted.session.value_or(call.instance()),
                       .task = std::move(wanted.task),
                       .budget_tokens = budget,
                       .fresh = wanted.fresh};
}

}  // namespace

std::string query_of(std::string_view task) {
    constexpr std::string_view kEnds = " \t\r\n\"()*,;:!?`'<>[]{}|&";
    std::set<std::string> words;
    std::string query;
    while (!task.empty()) {
        const std::size_t end = std::min(task.find_first_of(kEnds), task.size());
        std::string word = to_lower(task.substr(0, end));
        task.remove_prefix(std::min(end + 1, task.size()));
        if (word == "or" || !says_something(word) || words.contains(word)) continue;
        if (query.size() + word.size() + 4 > static_cast<std::size_t>(limits::query_bytes_max))
            break;
        if (!query.empty()) query += " OR ";
        query += word;
        words.insert(std::move(word));
    }
    return query;
}

std::string compose(const PackRequest& request, const core::Snapshot& state,
                    const std::vector<SearchHit>& hits, std::int64_t now_ms, Shown::Facts& shown) {
    constexpr std::size_t kEnvelopeBytes = 300;
    constexpr std::size_t kBytesPerToken = 3;
    constexpr std::size_t kListShare = 8;      // of the budget, for what is left out
    constexpr std::size_t kAroundBytes = 400;  // about as many as a fact has beside its data
    std::string session;
    json::append_string(session, request.session);
    const std::size_t bytes = request.budget_tokens * kBytesPerToken;
    std::size_t room = bytes - std::min(bytes, kEnvelopeBytes + session.size());
    const std::size_t alone = room;
    const List removed = removed_of(state, shown, room);
    const std::vector<Candidate> candidates = ranked(state, hits, now_ms, shown);
    const std::size_t unchanged = state.contexts.size() - candidates.size();
    std::size_t list_room = std::min(room, bytes / kListShare);
    room -= list_room;
    List facts;
    List left_out;
    std::size_t more = 0;
    for (const Candidate& one : candidates) {
        std::size_t size = one.context->data.size() + kAroundBytes;
        if (one.context->data.size() < room) {  // else it need not be written to know
            const std::string fact = fact_of(one);
            size = fact.size();
            if (facts.add(fact, room)) {
                shown[one.context->key] = one.context->version;
                continue;
            }
        }
        if (list_room < kAroundBytes / 4 ||
            !left_out.add(left_out_of(one, tokens_of(size), size > alone), list_room))
            more += 1;
    }
    return json::written(bytes, [&](json::Writer& out) {
        const std::size_t begin = out.size();
        out.object([&] {
            out.member("facts").raw("[").raw(facts.raw().json).raw("]");
            out.member("removed").raw("[").raw(removed.raw().json).raw("]");
            out.member("left_out").raw("[").raw(left_out.raw().json).raw("]");
            out.members("left_out_more", more, "unchanged", unchanged, "session",
                        json::Raw{session}, "position", state.position.to_string(), "budget_tokens",
                        request.budget_tokens);
            constexpr std::size_t kLast = 16;
            out.member("tokens", tokens_of(out.size() - begin + kLast));
        });
    });
}

void pack(Node& node, PackRequest request, std::function<void(Result<std::string>)> done) {
    const std::string query = query_of(request.task);
    const std::string user = request.user;
    auto with_hits = [&node, request = std::move(request),
                      done = std::move(done)](const std::vector<SearchHit>& hits) {
        node.engine().snapshot(
            request.user,
            [&node, request, done, hits](const Result<SnapshotPtr>& state) {
                if (!state) return done(state.error());
                std::string text;
                const auto look = [&](Shown::Facts& shown) {
                    text = compose(request, **state, hits, node.clock().wall_ms(), shown);
                };
                Shown::of_process().with(request.user, request.session, look, node.teller(),
                                         request.fresh);
                node.engine().when_told([done, text = std::move(text)] { done(text); });
            },
            core::Freshness::best());
    };
    if (query.empty()) return with_hits({});
    node.store().search(user, query, kHits,
                        [with_hits = std::move(with_hits)](Result<std::vector<SearchHit>> hits) {
                            // Words that nothing can be looked for by are no error of a task.
                            with_hits(hits ? *std::move(hits) : std::vector<SearchHit>());
                        });
}

void context_pack(Call& call) {
    Result<PackRequest> request = wanted_by(call);
    if (!request) return call.failed(request.error());
    pack(call.node(), *std::move(request),
         call.then([](Call& to, std::string text) { to.result(std::move(text)); }));
}

}  // namespace dyad::server::mcp
