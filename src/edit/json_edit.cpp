#include "edit/json_edit.hpp"

#include "edit/place.hpp"

#include <algorithm>

namespace dyad::edit {
namespace {

constexpr int kDepthMax = 64;
constexpr std::string_view kBlanks = " \t\r\n";

struct Child;
struct Node {
    std::size_t begin = 0;
    std::size_t end = 0;
    std::vector<Child> children;  // of an object or an array
};
struct Child {
    std::string key;        // as it is written; of an object
    std::size_t begin = 0;  // of the key, or of the value
    Node value;
    std::size_t comma = std::string_view::npos;  // behind it
};

// Where the comment that begins at `at` ends; `at` where none begins there.
std::size_t comment_end(std::string_view text, std::size_t at) {
    if (text.substr(at, 2) == "//") return std::min(text.find('\n', at), text.size());
    if (text.substr(at, 2) != "/*") return at;
    const std::size_t end = text.find("*/", at + 2);
    return end == std::string_view::npos ? end : end + 2;
}

class Reader {
  public:
    explicit Reader(std::string_view text) : text_(text) {}

    Result<Node> read() {
        if (text_.starts_with("\xef\xbb\xbf")) at_ = 3;
        Node node;
        TRY(read_value(node, 0));
        TRY(skip());
        if (at_ < text_.size()) return wrong("there is more behind the end of the JSON value");
        return node;
    }

  private:
    Error wrong(const std::string& what) const { return broken_at(text_, at_, what); }
    bool is(char c) const { return at_ < text_.size() && text_[at_] == c; }

    Status skip() {
        for (;;) {
            at_ = std::min(text_.find_first_not_of(kBlanks, at_), text_.size());
            const std::size_t end = comment_end(text_, at_);
            if (end == std::string_view::npos) return wrong("this comment has no end");
            if (end == at_) return Done{};
            at_ = end;
        }
    }

    Status read_value(Node& node, int depth) {
        TRY(skip());
        if (depth > kDepthMax) return wrong("it is nested too deeply");
        node.begin = at_;
        if (is('{') || is('[')) {
            TRY(read_children(node, text_[at_] == '{' ? '}' : ']', depth));
        } else if (is('"')) {
            TRY(read_string());
        } else {
            TRY(read_word());
        }
        node.end = at_;
        return Done{};
    }

    Status read_string() {
        const std::size_t begin = at_;
        for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
            if (static_cast<unsigned char>(text_[at_]) < 0x20)
                return wrong("a string ends on its line");
            if (text_[at_] == '\\') ++at_;
        }
        if (at_ < text_.size()) {
            ++at_;
            return Done{};
        }
        at_ = begin;
        return wrong("this string has no end");
    }

    Status read_word() {
        const std::string_view word =
            text_.substr(at_, text_.find_first_of(" \t\r\n,:]}[{\"/", at_) - at_);
        const bool number = !word.empty() && (word[0] == '-' || (word[0] >= '0' && word[0] <= '9'));
        if (number ? word.find_first_not_of("0123456789+-.eE") != std::string_view::npos
                   : word != "true" && word != "false" && word != "null")
            return wrong(at_ == text_.size() ? "the text ends too early"
                                             : "a JSON value is expected here");
        at_ += word.size();
        return Done{};
    }

    Status read_children(Node& node, char end, int depth) {
        ++at_;
        for (;;) {
            TRY(skip());
            if (is(end)) break;
            if (!node.children.empty() && node.children.back().comma == std::string_view::npos)
                return wrong(std::string("\",\" or \"") + end + "\" is expected here");
            Child child;
            child.begin = at_;
            if (end == '}') {
                if (!is('"')) return wrong("a name in double quotes is expected here");
                TRY(read_string());
                child.key = text_.substr(child.begin + 1, at_ - child.begin - 2);
                TRY(skip());
                if (!is(':')) return wrong("\":\" is expected here");
                ++at_;
            }
            TRY(read_value(child.value, depth + 1));
            TRY(skip());
            if (is(',')) child.comma = at_++;
            node.children.push_back(std::move(child));
        }
        ++at_;
        return Done{};
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

// One text and the steps that lead to a place in it.
class Editor {
  public:
    static Result<Editor> open(std::string_view text) {
        Editor editor;
        editor.text_ =
            text.find_first_not_of(kBlanks) == std::string_view::npos ? "{}\n" : std::string(text);
        ASSIGN_OR_RETURN(editor.root_, Reader(editor.text_).read());
        editor.eol_ = editor.text_.find("\r\n") != std::string::npos ? "\r\n" : "\n";
        if (!editor.root_.children.empty())
            if (const std::string first = editor.indent_of(editor.root_); !first.empty())
                editor.unit_ = first;
        return editor;
    }

    // Goes as far as the path exists; how many names of it do.
    Result<std::size_t> go(JsonPath path) {
        steps_ = {&root_};
        for (std::size_t i = 0; i < path.size(); ++i) {
            const Node& node = *steps_.back();
            if (text_[node.begin] != '{')
                return broken_at(text_, node.begin,
                                 i == 0 ? "an object is expected here"
                                        : "\"" + path[i - 1] + "\" must be an object");
            const auto child = std::find_if(node.children.begin(), node.children.end(),
                                            [&](const Child& one) { return one.key == path[i]; });
            if (child == node.children.end()) return i;
            steps_.push_back(&child->value);
        }
        return path.size();
    }

    const Node& here() const { return *steps_.back(); }
    std::string_view text_of(const Node& node) const {
        return std::string_view(text_).substr(node.begin, node.end - node.begin);
    }
    std::string take() { return std::move(text_); }

    Status want_array(const std::string& name) const {
        if (text_[here().begin] == '[') return Done{};
        return broken_at(text_, here().begin, "\"" + name + "\" must be an array");
    }

    void replace(std::string_view json) {
        text_.replace(here().begin, here().end - here().begin, laid_out(json, steps_.size() - 1));
    }

    // As the last child of the node that go() came to. `name`: of a member; empty: an element.
    void append(const std::string& name, std::string_view json) {
        const Node& node = here();
        const std::size_t depth = steps_.size();
        const std::string inside = node.children.empty() ? std::string() : indent_of(node);
        const bool lines = node.children.empty() || !inside.empty() ||
                           text_.find('\n', node.begin) <= node.children[0].begin;
        std::string entry = laid_out(json, depth, lines);
        if (!name.empty()) entry = "\"" + name + "\": " + entry;
        if (node.children.empty()) {
            std::size_t at = node.end - 1;
            std::size_t from = text_.find_last_not_of(kBlanks, at - 1) + 1;
            text_.replace(from, at - from, eol_ + indent(depth) + entry + eol_ + indent(depth - 1));
            return;
        }
        const Child& last = node.children.back();
        const bool comma = last.comma != std::string::npos;
        const std::size_t from = comma ? last.comma + 1 : last.value.end;
        const std::size_t after = line_end(from);
        // Behind a comment that takes the rest of its line.
        const bool next_line = text_.substr(from, after - from).find("//") != std::string::npos;
        const std::string space = lines ? eol_ + inside : next_line ? eol_ : " ";
        text_.insert(after, space + entry + (comma ? "," : ""));
        if (!comma) text_.insert(last.value.end, ",");
    }

    // Takes this child of that step out.
    void remove(const Node& node, std::size_t index) {
        const std::vector<Child>& all = node.children;
        const Child& child = all[index];
        const bool last = index + 1 == all.size();
        std::size_t begin = node.begin + 1;
        if (index > 0) begin = line_end(all[index - 1].comma + 1);
        std::size_t end = child.comma != std::string::npos ? child.comma + 1 : child.value.end;
        if (last && index == 0) {
            const std::size_t close = text_.find_first_not_of(kBlanks, end);
            if (close == node.end - 1) end = close;
        }
        text_.erase(begin, end - begin);
        if (last && index > 0 && child.comma == std::string::npos)
            text_.erase(all[index - 1].comma, 1);
    }

    const std::vector<const Node*>& steps() const { return steps_; }

  private:
    std::string indent(std::size_t depth) const {
        std::string out;
        for (std::size_t i = 0; i < depth; ++i)
            out.append(unit_);
        return out;
    }

    // What stands in front of its first child, on a line of its own; else empty.
    std::string indent_of(const Node& node) const {
        const std::size_t begin = node.children[0].begin;
        const std::size_t line = text_.rfind('\n', begin) + 1;
        const std::string_view before = std::string_view(text_).substr(line, begin - line);
        const bool own = line > node.begin && before.find_first_not_of(" \t") == before.npos;
        return own ? std::string(before) : std::string();
    }

    // The place behind the comment that belongs to what ends at `at`, on the same line.
    std::size_t line_end(std::size_t at) const {
        const std::size_t next = text_.find_first_not_of(" \t", at);
        if (next == std::string::npos) return at;
        std::size_t end = comment_end(text_, next);
        if (end > next && text_[end - 1] == '\r') --end;
        return end > next ? end : at;
    }

    // The value over several lines, as one at this depth; or on one line.
    std::string laid_out(std::string_view json, std::size_t depth, bool lines = true) const {
        std::string out;
        bool quoted = false;
        for (std::size_t i = 0; i < json.size(); ++i) {
            const char c = json[i];
            if (quoted && c == '\\') {
                out.append(json.substr(i++, 2));
                continue;
            }
            if (c == '"') quoted = !quoted;
            const bool opens = !quoted && (c == '{' || c == '[');
            const bool closes = !quoted && (c == '}' || c == ']');
            const bool empty = (opens && i + 1 < json.size() && json[i + 1] == c + 2) ||
                               (closes && json[i - 1] == c - 2);
            if (lines && closes && !empty) out.append(eol_).append(indent(--depth));
            out += c;
            if (lines && opens && !empty) out.append(eol_).append(indent(++depth));
            if (!quoted && c == ',') out.append(lines ? eol_ + indent(depth) : " ");
            if (!quoted && c == ':') out += ' ';
        }
        return out;
    }

    std::string text_;
    Node root_;
    std::string eol_ = "\n";
    std::string unit_ = "  ";
    std::vector<const Node*> steps_;
};

// {"a":{"b":…}} for the names from `from` on.
std::string nested(JsonPath path, std::size_t from, std::string_view json) {
    std::string out(json);
    for (std::size_t i = path.size(); i-- > from;)
        out = "{\"" + path[i] + "\":" + out + "}";
    return out;
}

}  // namespace

Result<std::optional<std::string>> json_at(std::string_view text, JsonPath path) {
    ASSIGN_OR_RETURN(Editor editor, Editor::open(text));
    ASSIGN_OR_RETURN(const std::size_t found, editor.go(path));
    if (found < path.size()) return std::optional<std::string>();
    return std::optional(std::string(editor.text_of(editor.here())));
}

Result<std::string> set_json(std::string_view text, JsonPath path, std::string_view json) {
    ASSIGN_OR_RETURN(Editor editor, Editor::open(text));
    ASSIGN_OR_RETURN(const std::size_t found, editor.go(path));
    if (found < path.size())
        editor.append(path[found], nested(path, found + 1, json));
    else if (compact_json(editor.text_of(editor.here())) != json)
        editor.replace(json);
    return editor.take();
}

Result<std::string> drop_json(std::string_view text, JsonPath path) {
    ASSIGN_OR_RETURN(Editor editor, Editor::open(text));
    ASSIGN_OR_RETURN(const std::size_t found, editor.go(path));
    if (found < path.size()) return std::string(text);
    const auto& steps = editor.steps();
    std::size_t at = path.size() - 1;  // the step whose child goes
    while (at > 0 && steps[at]->children.size() == 1)
        --at;
    const auto& children = steps[at]->children;
    const auto child = std::find_if(children.begin(), children.end(),
                                    [&](const Child& one) { return &one.value == steps[at + 1]; });
    editor.remove(*steps[at], static_cast<std::size_t>(child - children.begin()));
    return editor.take();
}

Result<std::string> add_to_json(std::string_view text, JsonPath path, std::string_view json) {
    ASSIGN_OR_RETURN(Editor editor, Editor::open(text));
    ASSIGN_OR_RETURN(const std::size_t found, editor.go(path));
    if (found < path.size()) {
        editor.append(path[found], nested(path, found + 1, "[" + std::string(json) + "]"));
        return editor.take();
    }
    TRY(editor.want_array(path.back()));
    editor.append("", json);
    return editor.take();
}

Result<std::vector<std::string>> json_elements(std::string_view text, JsonPath path) {
    ASSIGN_OR_RETURN(Editor editor, Editor::open(text));
    ASSIGN_OR_RETURN(const std::size_t found, editor.go(path));
    std::vector<std::string> out;
    if (found < path.size()) return out;
    TRY(editor.want_array(path.back()));
    for (const Child& child : editor.here().children)
        out.emplace_back(editor.text_of(child.value));
    return out;
}

Result<std::string> drop_from_json(std::string_view text, JsonPath path,
                                   const std::function<bool(std::string_view)>& meant) {
    std::string out(text);
    for (;;) {  // one after the other: each moves those behind it
        ASSIGN_OR_RETURN(const std::vector<std::string> all, json_elements(out, path));
        const auto found = std::find_if(all.begin(), all.end(), meant);
        if (found == all.end()) return out;
        if (all.size() == 1) return drop_json(out, path);
        ASSIGN_OR_RETURN(Editor editor, Editor::open(out));
        TRY(editor.go(path));
        editor.remove(editor.here(), static_cast<std::size_t>(found - all.begin()));
        out = editor.take();
    }
}

std::string compact_json(std::string_view text) {
    std::string out;
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (!quoted && kBlanks.find(text[i]) != std::string_view::npos) continue;
        if (const std::size_t end = quoted ? i : comment_end(text, i); end != i) {
            i = std::min(end, text.size()) - 1;
            continue;
        }
        if (quoted && text[i] == '\\' && i + 1 < text.size())
            out += text[i++];
        else if (text[i] == '"')
            quoted = !quoted;
        out += text[i];
    }
    return out;
}

}  // namespace dyad::edit
