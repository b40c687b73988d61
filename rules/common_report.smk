# How figures stand in Snakemake's own report.


def pictures(folder, figures, caption, category, subcategory, **labels):
    """The PNG files of a rule, marked for Snakemake's own report.

    `figures`: file name -> title, or labels; `labels`: those that all share. `caption`: the file of workflow/report that tells
    what is shown, {} the first word of the figure's name.
    """
    made = []
    for name, entry in figures.items():
        text = f"../workflow/report/{caption.format(name.split('_')[0])}.rst"
        about = ({"figure": entry} if isinstance(entry, str) else entry) | labels
        made += [report(f"{folder}/{name}.png", caption=text, category=category, subcategory=subcategory, labels=about)]
    return made
