"""Makes book.epub with EbookLib 0.20 (`pip install EbookLib==0.20`), a tool of others: python3 make.py

Three chapters under titles, a document that belongs to the second, a cover without words, and what is there for the eye
alone: a table of contents, a page number, a note's number.
"""

from ebooklib import epub

BODIES = {
    "cover.xhtml": "<div><img src='c.png' alt=''/></div>",
    "um.xhtml": "<h1>Capítulo <em>um</em></h1><p>Era uma vez\n  um rei&nbsp;&amp; uma rainha.<span epub:type='pagebreak' "
    "id='p2' title='2'>2</span></p><p>Verso um<br/>Verso dois</p><!-- nada --><style>p { }</style>",
    "dois.xhtml": "<h2>Capítulo dois</h2><ul><li>Pão</li><li>Leite;</li></ul><p>1 &lt; 2.<a epub:type='noteref' "
    "href='#n'>1</a></p>",
    "resto.xhtml": "<p>Ainda o segundo.</p>",
    "tres.xhtml": "<p><ruby>漢字<rt>かんじ</rt></ruby>を読む。[pausa 1] Fim.</p>",
}

book = epub.EpubBook()
book.set_identifier("barkclone-test")
book.set_title("Três capítulos")
book.set_language("pt")
pages = {}
for name, body in BODIES.items():
    page = epub.EpubHtml(title=name, file_name=name, lang="pt")
    page.content = f"<html><body>{body}</body></html>"
    book.add_item(page)
    pages[name] = page
book.toc = (
    epub.Link("um.xhtml", "Um", "um"),
    (epub.Section("Parte"), (epub.Link("dois.xhtml#topo", "Dois & meio", "dois"), epub.Link("tres.xhtml", "Três", "tres"))),
)
book.add_item(epub.EpubNcx())
book.add_item(epub.EpubNav())
book.spine = [pages["cover.xhtml"], "nav", *[pages[name] for name in BODIES if name != "cover.xhtml"]]
epub.write_epub("book.epub", book)
